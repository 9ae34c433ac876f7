import atexit
import signal

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
atexit.register(print, "at exit")
print("started")
signal.raise_signal(signal.SIGINT)
print("never reached")
