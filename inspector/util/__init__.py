"""Small helpers that know neither graphs nor torch."""
