"""A warning whose stacklevel goes beyond the script names "sys"; there, a text is shown once for all levels."""

import warnings

warnings.simplefilter("default")


def warn(level):
    warnings.warn("deep", stacklevel=level)


for level in range(1, 8):
    warnings.warn(f"level {level}", stacklevel=level)
    warn(level)
