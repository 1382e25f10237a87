# A boot sector that tells COM1 that it runs, and ends the machine by QEMU's device isa-debug-exit: QEMU's exit status
# is twice the value and one.
	.code16
	.globl	_start
	.set	COM1, 0x3f8
	.set	DEBUG_EXIT, 0xf4
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	$message, %si
	movw	$COM1, %dx
next:
	lodsb
	testb	%al, %al
	jz	done
	outb	%al, %dx
	jmp	next
done:
	movl	$0x10, %eax
	movw	$DEBUG_EXIT, %dx
	outl	%eax, %dx
	hlt
message:
	.asciz	"a boot sector speaks\n"
	.org	510
	.word	0xaa55
