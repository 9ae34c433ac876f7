import signal

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
try:
    signal.raise_signal(signal.SIGINT)
    print("never reached")
except KeyboardInterrupt:
    print("caught")
