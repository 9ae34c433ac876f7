# input: some text
import sys

print(sys.stdin.read(), sys.stdin.isatty(), sys.stdout.encoding, sys.stderr.line_buffering)
