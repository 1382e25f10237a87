/*
 * Runs a guest with KVM's local APIC through /dev/kvm: with APIC virtualization most of what it does needs no VM exit.
 * Built as kvmGuest.c is.
 */
#include <linux/kvm.h>

#define SYS_write 1
#define SYS_open 2
#define SYS_mmap 9
#define SYS_ioctl 16
#define SYS_exit 60
#define O_RDWR 2
#define PROT_READ_WRITE 3
#define MAP_SHARED 1
#define MAP_SHARED_ANONYMOUS 0x21

#define GUEST_BYTES 0x8000
#define CODE 0x1000
#define IDT 0x3000
#define PORT_VALUE 0x10
#define PORT_END 0x11
#define GATE_32 0x8e00
#define GP 13

/* Flat 32-bit protected mode. Handlers count in memory: vector 0x60 at 0x2000, 0x61 at 0x2004. */
__asm__(
	".globl guest_code, guest_end, handler_60, handler_61, handler_gp\n"
	".code32\n"
	"guest_code:\n"
	"	movl $0x1ff, 0xfee000f0\n"      /* enable */
	"	movl 0xfee00030, %eax; outb %al, $0x10\n" /* version */
	"	movl $0x70, 0xfee00080\n"       /* task priority above both vectors' class */
	"	movl 0xfee00080, %eax; outb %al, $0x10\n"
	"	sti\n"
	"	movl $0x00040060, 0xfee00300\n" /* self-IPI */
	"	nop; nop\n"
	"	movl 0x2000, %eax; outb %al, $0x10\n" /* 0: held back */
	"	movl $0, 0xfee00080\n"          /* delivered now */
	"	nop\n"
	"	movl 0x2000, %eax; outb %al, $0x10\n" /* 1 */
	"	movl $0xb, 0xfee003e0\n"        /* timer: divide by 1 */
	"	movl $0x61, 0xfee00320\n"
	"	movl $100000, 0xfee00380\n"
	"	movl 0xfee00390, %eax\n"        /* current count: not on the virtual-APIC page */
	"1:	hlt\n"
	"	cmpl $1, 0x2004; jb 1b\n"
	"	movl 0x2004, %eax; outb %al, $0x10\n" /* 1 */
	"	movl $0x1b, %ecx; rdmsr; orl $0x400, %eax; wrmsr\n" /* x2APIC mode */
	"	movb $1, 0x2008\n"              /* handlers end by MSR */
	"	xorl %edx, %edx\n"
	"	movl $0x50, %eax; movl $0x808, %ecx; wrmsr\n"
	"	xorl %eax, %eax; rdmsr; outb %al, $0x10\n" /* 0x50 */
	"	xorl %edx, %edx\n"
	"	movl $0x60, %eax; movl $0x83f, %ecx; wrmsr\n" /* self-IPI register */
	"	nop\n"
	"	movl 0x2000, %eax; outb %al, $0x10\n" /* 2 */
	"	outb %al, $0x11\n"
	"handler_60:\n"
	"	incl 0x2000; jmp 2f\n"
	"handler_61:\n"
	"	incl 0x2004\n"
	"2:	cmpb $0, 0x2008; jne 3f\n"
	"	movl $0, 0xfee000b0; iret\n"
	"3:	pushal; xorl %eax, %eax; xorl %edx, %edx; movl $0x80b, %ecx; wrmsr; popal; iret\n"
	"handler_gp:\n"
	"	movb $0xee, %al; outb %al, $0x10; outb %al, $0x11\n"
	"guest_end:\n"
	".code64\n");
extern char guest_code[], guest_end[], handler_60[], handler_61[], handler_gp[];

static long syscall6(long number, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return result;
}

static void print(const char *text)
{
	long length = 0;
	while (text[length])
		length++;
	syscall6(SYS_write, 1, (long)text, length, 0, 0, 0);
}

static void print_hex(unsigned long value)
{
	char digits[20] = " 0x";
	int n = 3;
	for (int shift = 60; shift >= 0; shift -= 4)
		if (value >> shift || shift == 0)
			digits[n++] = "0123456789abcdef"[(value >> shift) & 15];
	digits[n] = 0;
	print(digits);
}

static long check(const char *what, long result)
{
	if (result >= 0)
		return result;
	print("KVM: failed: ");
	print(what);
	print_hex(-result);
	print("\n");
	syscall6(SYS_exit, 1, 0, 0, 0, 0, 0);
	return 0;
}

static long control(const char *what, long fd, unsigned long request, long argument)
{
	return check(what, syscall6(SYS_ioctl, fd, request, argument, 0, 0, 0));
}

static char *map(long bytes, long flags, long fd)
{
	return (char *)check("mmap", syscall6(SYS_mmap, 0, bytes, PROT_READ_WRITE, flags, fd, 0));
}

static struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 entries[100]; } supported;

static void gate(char *memory, int vector, const char *handler)
{
	unsigned *entry = (unsigned *)(memory + IDT + vector * 8);
	unsigned address = CODE + (handler - guest_code);
	entry[0] = (8 << 16) | (address & 0xffff);
	entry[1] = (address & 0xffff0000) | GATE_32;
}

void _start(void)
{
	long kvm = check("open /dev/kvm", syscall6(SYS_open, (long)"/dev/kvm", O_RDWR, 0, 0, 0, 0));
	long vm = control("KVM_CREATE_VM", kvm, KVM_CREATE_VM, 0);
	control("KVM_SET_TSS_ADDR", vm, KVM_SET_TSS_ADDR, 0xfffbd000);
	control("KVM_CREATE_IRQCHIP", vm, KVM_CREATE_IRQCHIP, 0);
	char *memory = map(GUEST_BYTES, MAP_SHARED_ANONYMOUS, -1);
	for (long i = 0; i < guest_end - guest_code; i++)
		memory[CODE + i] = guest_code[i];
	gate(memory, 0x60, handler_60);
	gate(memory, 0x61, handler_61);
	gate(memory, GP, handler_gp);
	/* A GDT at 0x4000: null, flat code, flat data. */
	((unsigned long *)(memory + 0x4000))[1] = 0x00cf9b000000ffff;
	((unsigned long *)(memory + 0x4000))[2] = 0x00cf93000000ffff;
	struct kvm_userspace_memory_region region = { .memory_size = GUEST_BYTES, .userspace_addr = (unsigned long)memory };
	control("KVM_SET_USER_MEMORY_REGION", vm, KVM_SET_USER_MEMORY_REGION, (long)&region);
	long vcpu = control("KVM_CREATE_VCPU", vm, KVM_CREATE_VCPU, 0);
	struct kvm_run *state = (struct kvm_run *)map(control("KVM_GET_VCPU_MMAP_SIZE", kvm, KVM_GET_VCPU_MMAP_SIZE, 0), MAP_SHARED, vcpu);
	supported.head.nent = 100;
	control("KVM_GET_SUPPORTED_CPUID", kvm, KVM_GET_SUPPORTED_CPUID, (long)&supported);
	control("KVM_SET_CPUID2", vcpu, KVM_SET_CPUID2, (long)&supported);
	struct kvm_sregs sregs;
	control("KVM_GET_SREGS", vcpu, KVM_GET_SREGS, (long)&sregs);
	struct kvm_segment flat = { .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1 };
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat;
	sregs.cs = flat;
	sregs.cs.type = 11;
	sregs.cs.selector = 8;
	sregs.gdt.base = 0x4000;
	sregs.gdt.limit = 23;
	sregs.idt.base = IDT;
	sregs.idt.limit = 0x7ff;
	sregs.cr0 |= 1;
	control("KVM_SET_SREGS", vcpu, KVM_SET_SREGS, (long)&sregs);
	struct kvm_regs regs = { .rip = CODE, .rsp = 0x7000, .rflags = 2 };
	control("KVM_SET_REGS", vcpu, KVM_SET_REGS, (long)&regs);
	print("KVM guest says:");
	for (;;) {
		control("KVM_RUN", vcpu, KVM_RUN, 0);
		if (state->exit_reason != KVM_EXIT_IO) {
			print(" exit");
			print_hex(state->exit_reason);
			break;
		}
		if (state->io.port == PORT_END)
			break;
		print_hex(*((unsigned char *)state + state->io.data_offset));
	}
	print(" done\n");
	syscall6(SYS_exit, 0, 0, 0, 0, 0, 0);
}
