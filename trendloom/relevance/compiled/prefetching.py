"""One instruction that numba has no name for: asking for memory that will be used soon, without waiting for it.

Whoever knows which rows the next purchase needs asks for them while the present one is worked on. Read next:
:mod:`trendloom.relevance.compiled.kernel`.
"""

from __future__ import annotations

from typing import Any

import numba.core.cgutils
import numba.core.types
from llvmlite import ir
from numba.extending import intrinsic

__all__ = ["prefetch"]

#: llvm.prefetch: to read, kept in the second level cache and beyond, of data.
_READ, _LOCALITY, _DATA = 0, 2, 1
#: Both are without types of their own.
_builds: Any = numba.core.cgutils
_types: Any = numba.core.types


def _prefetch(_context: Any, array: Any, index: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        values = context.make_array(kind)(context, builder, arguments[0])
        places = _builds.unpack_tuple(builder, arguments[1], kind.ndim)
        where = _builds.get_item_pointer(context, builder, kind, values, places, wraparound=False)
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        wanted = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        ask = _builds.get_or_insert_function(builder.module, wanted, "llvm.prefetch.p0")
        builder.call(ask, [builder.bitcast(where, byte), number(_READ), number(_LOCALITY), number(_DATA)])
        return context.get_dummy_value()

    return _types.void(array, _types.UniTuple(_types.intp, index.count)), code


#: ``prefetch(array, (place,))`` or ``(row, column)`` in compiled code asks for the cache line of an element, which must
#: exist.
prefetch: Any = intrinsic(_prefetch)
