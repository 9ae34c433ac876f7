import os
import sys

sys.stdout.flush()
child = os.fork()
if child == 0:
    print("child ends the script too", flush=True)
    sys.exit(4)
print("child status", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
