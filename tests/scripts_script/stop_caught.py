from inspector.runscript import stop_script

try:
    stop_script()
except SystemExit as error:
    print("caught", error.code)
raise SystemExit(4)
