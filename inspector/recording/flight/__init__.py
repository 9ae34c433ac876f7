"""Records the run after the watched backward calls: one vector of numbers a step, in storage of fixed size."""

from inspector.recording.flight.recorder import FlightRecorder

__all__ = ["FlightRecorder"]
