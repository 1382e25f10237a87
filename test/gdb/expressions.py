# Prints what GDB says of an expression, as JSON behind "@@": sourced by gdbProcess.ts.
import gdb, json

class Evaluate(gdb.Command):
    """FORMAT EXPRESSION: the format is one letter, or - for none."""
    def __init__(self):
        super().__init__('hyperstep-evaluate', gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        style, expression = argument.split(' ', 1)
        try:
            value = gdb.parse_and_eval(expression)
            options = {'symbols': False, 'max_elements': 0, 'repeat_threshold': 0}
            if style != '-':
                options['format'] = style
            row = {'text': value.format_string(**options), 'type': str(value.type), 'size': value.type.strip_typedefs().sizeof}
        except (gdb.error, RuntimeError, OverflowError, gdb.MemoryError) as error:
            row = {'error': str(error)}
        print('@@' + json.dumps(row))

Evaluate()
