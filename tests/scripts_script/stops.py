import atexit

from inspector.runscript import stop_script

atexit.register(print, "at exit")
try:
    stop_script()
except Exception:
    print("not an Exception")
finally:
    print("finally")
print("never")
