/*
 * Runs a small guest through /dev/kvm and prints what KVM hands to user space. Static and without a C library, so
 * that it builds with any gcc and runs from a RAM disk.
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

#define GUEST_BYTES 0x4000
#define PORT 0x10
/* Beyond the guest's memory: an access leads to KVM_EXIT_MMIO. */
#define MMIO 0x8000

/* Real mode: a byte to the port, CPUID, a store and a load beyond memory, a hypercall, HLT. */
static const unsigned char guest_code[] = {
	0xb0, 'A', 0xe6, PORT,        /* mov al, 'A'; out PORT, al */
	0x66, 0x31, 0xc0, 0x0f, 0xa2, /* xor eax, eax; cpuid */
	0x88, 0xd8, 0xe6, PORT,       /* mov al, bl; out PORT, al */
	0xa2, MMIO & 0xff, MMIO >> 8, /* mov [MMIO], al */
	0xa0, MMIO & 0xff, MMIO >> 8, /* mov al, [MMIO] */
	0xe6, PORT,                   /* out PORT, al */
	0x66, 0xb8, 99, 0, 0, 0,      /* mov eax, 99 */
	0x0f, 0x01, 0xc1,             /* vmcall: an unknown hypercall */
	0xe6, PORT,                   /* out PORT, al: the low byte of -KVM_ENOSYS */
	0xf4,                         /* hlt */
};

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

static void print_hex(const char *name, unsigned long value)
{
	char digits[19] = "0x";
	int n = 2;
	for (int shift = 60; shift >= 0; shift -= 4)
		if (value >> shift || shift == 0)
			digits[n++] = "0123456789abcdef"[(value >> shift) & 15];
	digits[n] = 0;
	print(" ");
	print(name);
	print("=");
	print(digits);
}

static long check(const char *what, long result)
{
	if (result >= 0)
		return result;
	print("KVM: ");
	print(what);
	print_hex("failed", -result);
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

/* What CPUID yields in the guest: the leaf 0 of the machine below. */
static struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 entries[100]; } supported;

static void run(long vcpu, struct kvm_run *state)
{
	for (;;) {
		control("KVM_RUN", vcpu, KVM_RUN, 0);
		switch (state->exit_reason) {
		case KVM_EXIT_IO:
			print("KVM_EXIT_IO");
			print_hex("port", state->io.port);
			print_hex("value", *((unsigned char *)state + state->io.data_offset));
			print("\n");
			break;
		case KVM_EXIT_MMIO:
			print(state->mmio.is_write ? "KVM_EXIT_MMIO write" : "KVM_EXIT_MMIO read");
			print_hex("address", state->mmio.phys_addr);
			print_hex("value", state->mmio.data[0]);
			print("\n");
			if (!state->mmio.is_write)
				state->mmio.data[0] = 0x5a;
			break;
		case KVM_EXIT_HLT:
			print("KVM_EXIT_HLT\nKVM guest done\n");
			return;
		default:
			print("KVM_EXIT");
			print_hex("reason", state->exit_reason);
			print_hex("hardware", state->hw.hardware_exit_reason);
			print("\n");
			return;
		}
	}
}

void _start(void)
{
	long kvm = check("open /dev/kvm", syscall6(SYS_open, (long)"/dev/kvm", O_RDWR, 0, 0, 0, 0));
	print_hex("version", control("KVM_GET_API_VERSION", kvm, KVM_GET_API_VERSION, 0));
	print("\n");
	long vm = control("KVM_CREATE_VM", kvm, KVM_CREATE_VM, 0);
	char *memory = map(GUEST_BYTES, MAP_SHARED_ANONYMOUS, -1);
	for (unsigned i = 0; i < sizeof guest_code; i++)
		memory[i] = guest_code[i];
	struct kvm_userspace_memory_region region = { .memory_size = GUEST_BYTES, .userspace_addr = (unsigned long)memory };
	control("KVM_SET_USER_MEMORY_REGION", vm, KVM_SET_USER_MEMORY_REGION, (long)&region);
	long vcpu = control("KVM_CREATE_VCPU", vm, KVM_CREATE_VCPU, 0);
	struct kvm_run *state = (struct kvm_run *)map(control("KVM_GET_VCPU_MMAP_SIZE", kvm, KVM_GET_VCPU_MMAP_SIZE, 0), MAP_SHARED, vcpu);
	supported.head.nent = 100;
	control("KVM_GET_SUPPORTED_CPUID", kvm, KVM_GET_SUPPORTED_CPUID, (long)&supported);
	control("KVM_SET_CPUID2", vcpu, KVM_SET_CPUID2, (long)&supported);
	struct kvm_sregs sregs;
	control("KVM_GET_SREGS", vcpu, KVM_GET_SREGS, (long)&sregs);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	control("KVM_SET_SREGS", vcpu, KVM_SET_SREGS, (long)&sregs);
	struct kvm_regs regs = { .rip = 0, .rflags = 2 };
	control("KVM_SET_REGS", vcpu, KVM_SET_REGS, (long)&regs);
	run(vcpu, state);
	syscall6(SYS_exit, 0, 0, 0, 0, 0, 0);
}
