import atexit
import os
import signal
import time

atexit.register(print, "at exit")
print("started")
os.kill(os.getpid(), signal.SIGINT)
time.sleep(5)
