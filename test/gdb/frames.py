# Prints the backtrace and the locals that GDB sees, as JSON: sourced by compare.ts.
import gdb, json

MOST_FRAMES = 12

def leaf(value):
    kind = value.type.strip_typedefs().code
    if kind in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_ENUM, gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_CHAR):
        return {'value': str(int(value)), 'text': value.format_string(symbols=False)}
    return {'aggregate': True}

def locals_of(frame):
    seen, found = set(), []
    block = frame.block()
    while block is not None and not block.is_static and not block.is_global:
        for symbol in block:
            if not (symbol.is_variable or symbol.is_argument) or symbol.name in seen:
                continue
            seen.add(symbol.name)
            row = {'name': symbol.name}
            try:
                value = symbol.value(frame)
                if value.is_optimized_out:
                    row['gone'] = True
                else:
                    row.update(leaf(value))
            except gdb.error as error:
                row['error'] = str(error)
            found.append(row)
        if block.function is not None:
            break
        block = block.superblock
    return found

rows = []
frame = gdb.newest_frame()
while frame is not None and len(rows) < MOST_FRAMES:
    place = frame.find_sal()
    row = {'name': frame.name(), 'pc': frame.pc(), 'line': place.line if place.symtab else 0, 'file': place.symtab.filename if place.symtab else None}
    try:
        row['locals'] = locals_of(frame)
    except (gdb.error, RuntimeError):
        row['locals'] = []
    rows.append(row)
    try:
        frame = frame.older()
    except gdb.error:
        break
print('@@' + json.dumps(rows))
