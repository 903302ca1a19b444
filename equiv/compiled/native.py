"""Text to machine code: llvmlite parses, optimises and links it into this process."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

from equiv.compiled.text import DECLARATIONS
from equiv.errors import InternalError

LARGE: Final = 400_000
"""Characters of assembly from which on it is optimised less, so that compiling takes seconds, not minutes."""


class NotCompiled(Exception):
    """This side, or this machine, has no native code; the message says why. The interpreter runs it."""


def why_not() -> str | None:
    """None where native code can be made, else what is missing."""
    if sys.byteorder != "little" or sys.maxsize < 1 << 40:
        return "native code is made on 64-bit little-endian machines only"
    if find_spec("llvmlite") is None:
        return "llvmlite is not installed (pip install llvmlite)"
    return None


@dataclass(frozen=True, slots=True)
class Module:
    """Machine code in this process; lives as long as the object does."""

    engine: Any
    """llvmlite's owner of the code."""

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """A function of the module, to be called with values of these ctypes types."""
        address = self.engine.get_function_address(name)
        if not address:
            raise InternalError(f"no native function {name}")
        return ctypes.CFUNCTYPE(result, *arguments)(address)


def compile_text(functions: str) -> Module:
    """Machine code of these functions. Raises NotCompiled where there can be none on this machine."""
    if (reason := why_not()) is not None:
        raise NotCompiled(reason)
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    try:
        module = binding.parse_assembly(functions + DECLARATIONS)
        module.verify()
    except RuntimeError as error:
        raise InternalError(f"native code that LLVM does not take: {error}") from error
    target = binding.Target.from_default_triple()
    level = 1 if len(functions) > LARGE else 2
    machine = target.create_target_machine(opt=level, cpu=binding.get_host_cpu_name())
    options = binding.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = options.loop_unrolling = False
    passes = binding.create_pass_builder(machine, options).getModulePassManager()
    module.triple = target.triple
    passes.run(module, binding.create_pass_builder(machine, options))
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return Module(engine)
