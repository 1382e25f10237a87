# Prints the backtrace and the locals that GDB sees, as JSON behind "@@": sourced by gdbProcess.ts.
import gdb, json

MOST_FRAMES = 24
# Members of a struct and elements of an array that are looked at, and how deep.
MOST_CHILDREN = 24
MOST_DEPTH = 3

SCALARS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_ENUM, gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_CHAR)
REFERENCES = (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF)
STRUCTS = (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION)

def children_of(value, kind, depth):
    if kind.code == gdb.TYPE_CODE_ARRAY:
        # An array of unknown length has none for us, and one element for GDB.
        if kind.sizeof == 0:
            return []
        low, high = kind.range()
        return [row_of('[%d]' % i, value[i], depth) for i in range(low, min(high + 1, low + MOST_CHILDREN))]
    rows = []
    for field in kind.fields():
        if len(rows) >= MOST_CHILDREN or not hasattr(field, 'bitpos'):
            continue
        # Members of an anonymous struct or union count as the outer one's, and so do those of a base.
        if (field.is_base_class or not field.name) and field.type.strip_typedefs().code in STRUCTS:
            rows.extend(children_of(value[field], field.type.strip_typedefs(), depth))
        else:
            rows.append(row_of(field.name or '', value[field], depth))
    return rows[:MOST_CHILDREN]

def row_of(name, value, depth=0):
    row = {'name': name}
    try:
        kind = value.type.strip_typedefs()
        # A reference is where that is to which it refers.
        if kind.code in REFERENCES:
            if value.is_optimized_out:
                return dict(row, gone=True)
            value = value.referenced_value().address
            if value is None:
                return dict(row, gone=True)
            kind = value.type
        if kind.code in STRUCTS or kind.code == gdb.TYPE_CODE_ARRAY:
            row['children'] = [] if depth >= MOST_DEPTH else children_of(value, kind, depth + 1)
        elif value.is_optimized_out:
            row['gone'] = True
        elif kind.code in SCALARS:
            text = value.format_string(symbols=False)
            if 'synthetic pointer' in text:
                row['gone'] = True
            else:
                row.update(value=str(int(value)), text=text)
        else:
            row['other'] = True
    except (gdb.error, RuntimeError) as error:
        row['error'] = str(error)
    return row

def locals_of(frame):
    seen, found = set(), []
    block = frame.block()
    while block is not None and not block.is_static and not block.is_global:
        for symbol in block:
            # A label that the compiler dropped counts as a variable for GDB, one with a constant value does not.
            constant = symbol.is_constant and symbol.type is not None and symbol.type.strip_typedefs().code != gdb.TYPE_CODE_ENUM
            if not (symbol.is_variable or symbol.is_argument or constant) or symbol.name in seen or str(symbol.type) == '__CORE_ADDR':
                continue
            seen.add(symbol.name)
            try:
                found.append(row_of(symbol.name, symbol.value(frame)))
            except gdb.error as error:
                found.append({'name': symbol.name, 'error': str(error)})
        if block.function is not None:
            break
        block = block.superblock
    return found

def frames():
    rows = []
    frame = gdb.newest_frame()
    while frame is not None and len(rows) < MOST_FRAMES:
        if frame.type() != gdb.TAILCALL_FRAME:
            place = frame.find_sal()
            row = {'name': frame.name(), 'pc': frame.pc(), 'line': place.line if place.symtab else 0, 'described': frame.function() is not None}
            try:
                row['locals'] = locals_of(frame)
            except (gdb.error, RuntimeError):
                row['locals'] = []
            rows.append(row)
        try:
            frame = frame.older()
        except gdb.error:
            break
    return rows

class Frames(gdb.Command):
    """Prints what a comparison wants to know of this stop."""
    def __init__(self):
        super().__init__('hyperstep-frames', gdb.COMMAND_STACK)
    def invoke(self, argument, from_tty):
        try:
            print('@@' + json.dumps(frames()))
        except Exception as error:
            print('@@' + json.dumps({'failed': str(error)}))

Frames()
