# ruff: noqa: F401
import no_such_module_anywhere.at_all
