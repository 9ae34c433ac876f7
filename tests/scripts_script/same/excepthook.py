import sys
import traceback


def hook(kind, error, trace):
    print("hook", kind.__name__, error, sys.exc_info(), "__file__" in globals(), sys.last_value is error)
    print(traceback.format_exception(kind, error, trace))


sys.excepthook = hook
{}["missing"]
