// SPDX-License-Identifier: MIT
// A hypervisor that is launched late: loaded as a module, it turns the Linux that runs into its guest, on every
// processor, and gives it back when the module is removed. While Linux is the guest
// - CPUID hides VMX and answers leaf 0x40000000 with a signature,
// - a page is watched: EPT has no mapping for it, every access is let through for one instruction and counted,
// - a processor that Linux takes away and brings back goes through INIT and SIPI as a guest does.
// Written to the Intel SDM (volume 3, "Virtual-Machine Control Structures" and what follows); it takes the features that
// any processor with unrestricted guest has.

#include <linux/cpu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include "vmcs.h"

MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Turns the running Linux into its guest");

#define SIGNATURE_LEAF 0x40000000u
/* VMCALL numbers, in RAX. */
#define CALL_LEAVE 0x6c656176u
#define CALL_WATCH 0x77617463u

#define ENTRIES 512
#define HOST_STACK (4 * PAGE_SIZE)
#define EXITS 70

/* What the assembly below pushes, lowest address first, and the frame for IRETQ above it. */
struct frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 rip, cs, rflags, rsp, ss;
	struct vcpu *vcpu;
};

struct vcpu {
	int cpu;
	bool inside;
	int error;
	void *vmxon, *vmcs;
	u8 *stack;
	bool stepping;
	unsigned long exits[EXITS];
	unsigned long unexpected;
};

static struct vcpu *vcpus[NR_CPUS];
static void *msr_bitmap;
static u64 *host_pml4;
/* One set of EPT tables for all processors. */
static u64 *ept_pml4, *ept_pdpt, *ept_pd, *ept_pt;
static u64 eptp;
static u8 *watched;
static u64 *watched_entry;
static atomic_t watched_reads, watched_writes;

u64 beneath_launch(void);
void beneath_exit_entry(void);
bool beneath_exit(struct frame *frame);

asm(".pushsection .text\n"
    ".globl beneath_launch\n"
    "beneath_launch:\n"
    "	pushfq\n	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
    "	mov $0x681c, %eax\n	vmwrite %rsp, %rax\n" /* guest RSP */
    "	lea 1f(%rip), %rcx\n	mov $0x681e, %eax\n	vmwrite %rcx, %rax\n" /* guest RIP */
    "	vmlaunch\n"
    "	mov $1, %eax\n	jmp 2f\n"
    "1:	xor %eax, %eax\n" /* here the guest begins */
    "2:	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n	popfq\n"
    "	ret\n	int3\n"
    ".globl beneath_exit_entry\n"
    "beneath_exit_entry:\n"
    "	push %rax\n	push %rbx\n	push %rcx\n	push %rdx\n	push %rsi\n	push %rdi\n	push %rbp\n"
    "	push %r8\n	push %r9\n	push %r10\n	push %r11\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
    "	mov %rsp, %rdi\n	call beneath_exit\n	test %al, %al\n"
    "	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %r11\n	pop %r10\n	pop %r9\n	pop %r8\n"
    "	pop %rbp\n	pop %rdi\n	pop %rsi\n	pop %rdx\n	pop %rcx\n	pop %rbx\n	pop %rax\n"
    "	jz 3f\n	vmresume\n	ud2\n"
    "3:	iretq\n	int3\n"
    ".popsection\n");

static inline u64 vmread(u64 field)
{
	u64 value;
	asm volatile("vmread %1, %0" : "=r"(value) : "r"(field) : "cc");
	return value;
}

/* A field that this processor does not have is a mistake of ours. */
static inline void vmwrite(u64 field, u64 value)
{
	bool failed;
	asm volatile("vmwrite %2, %1; setna %0" : "=q"(failed) : "r"(field), "r"(value) : "cc");
	WARN_ONCE(failed, "beneath: VMWRITE of field %llx fails", field);
}

static inline bool with_region(const char *what, u64 physical)
{
	bool failed;
	if (*what == 'o') asm volatile("vmxon %1; setna %0" : "=q"(failed) : "m"(physical) : "cc", "memory");
	else if (*what == 'c') asm volatile("vmclear %1; setna %0" : "=q"(failed) : "m"(physical) : "cc", "memory");
	else asm volatile("vmptrld %1; setna %0" : "=q"(failed) : "m"(physical) : "cc", "memory");
	return !failed;
}

static void invept_all(void)
{
	struct { u64 eptp, zero; } descriptor = { eptp, 0 };
	asm volatile("invept %0, %1" : : "m"(descriptor), "r"(2ull) : "cc", "memory");
}

static u64 call(u64 number)
{
	u64 result;
	asm volatile("vmcall" : "=a"(result) : "a"(number) : "cc", "memory");
	return result;
}

/* Controls that must be 1 or 0 according to a capability MSR, with those that are wanted where they are permitted. */
static u32 controls(u32 msr, u32 wanted)
{
	u64 capability;
	rdmsrl(msr, capability);
	return (wanted | (u32)capability) & (u32)(capability >> 32);
}

/* ---- Guest state out of the processor ---- */

static u64 descriptor_base(const struct desc_ptr *gdt, u16 selector)
{
	const u8 *d = (const u8 *)gdt->address + (selector & ~7);
	u64 base = d[2] | d[3] << 8 | d[4] << 16 | (u64)d[7] << 24;
	if (!(d[5] & 0x10)) base |= (u64)*(const u32 *)(d + 8) << 32;
	return base;
}

static void take_segment(int n, u16 selector, u64 base)
{
	u32 limit = 0, rights = UNUSABLE;
	if (selector & ~3) {
		u32 found;
		bool ok;
		asm volatile("lar %2, %1; setz %0" : "=q"(ok), "=r"(found) : "r"((u32)selector) : "cc");
		if (ok) rights = (found >> 8) & 0xf0ff;
		asm volatile("lsl %1, %0" : "=r"(limit) : "r"((u32)selector) : "cc");
	}
	vmwrite(GUEST_ES_SELECTOR + 2 * n, selector);
	vmwrite(GUEST_ES_BASE + 2 * n, base);
	vmwrite(GUEST_ES_LIMIT + 2 * n, limit);
	vmwrite(GUEST_ES_RIGHTS + 2 * n, rights);
}

#define selector_of(register) ({ u16 s; asm volatile("mov %%" register ", %0" : "=rm"(s)); s; })

static void take_state(struct vcpu *v)
{
	struct desc_ptr gdt, idt;
	u16 tr, ldtr;
	u64 fs, gs, efer, msr, cr0 = read_cr0(), cr3 = __read_cr3(), cr4 = __read_cr4(), dr7;
	struct frame *top = (struct frame *)(v->stack + HOST_STACK - 256);

	native_store_gdt(&gdt);
	store_idt(&idt);
	asm volatile("str %0" : "=rm"(tr));
	asm volatile("sldt %0" : "=rm"(ldtr));
	rdmsrl(MSR_FS_BASE, fs);
	rdmsrl(MSR_GS_BASE, gs);
	rdmsrl(MSR_EFER, efer);

	take_segment(0, selector_of("es"), 0);
	take_segment(1, selector_of("cs"), 0);
	take_segment(2, selector_of("ss"), 0);
	take_segment(3, selector_of("ds"), 0);
	take_segment(4, selector_of("fs"), fs);
	take_segment(5, selector_of("gs"), gs);
	take_segment(6, ldtr, ldtr ? descriptor_base(&gdt, ldtr) : 0);
	take_segment(7, tr, descriptor_base(&gdt, tr));
	vmwrite(GUEST_GDTR_BASE, gdt.address);
	vmwrite(GUEST_GDTR_LIMIT, gdt.size);
	vmwrite(GUEST_IDTR_BASE, idt.address);
	vmwrite(GUEST_IDTR_LIMIT, idt.size);
	vmwrite(GUEST_CR0, cr0);
	vmwrite(GUEST_CR3, cr3);
	vmwrite(GUEST_CR4, cr4);
	get_debugreg(dr7, 7);
	vmwrite(GUEST_DR7, dr7);
	vmwrite(GUEST_RFLAGS, 2);
	vmwrite(GUEST_EFER, efer);
	rdmsrl(MSR_IA32_DEBUGCTLMSR, msr);
	vmwrite(GUEST_DEBUGCTL, msr);
	vmwrite(VMCS_LINK, ~0ull);

	vmwrite(HOST_ES, 0);
	vmwrite(HOST_CS, __KERNEL_CS);
	vmwrite(HOST_SS, __KERNEL_DS);
	vmwrite(HOST_DS, 0);
	vmwrite(HOST_FS, 0);
	vmwrite(HOST_GS, 0);
	vmwrite(HOST_TR, tr & ~7);
	vmwrite(HOST_CR0, cr0);
	vmwrite(HOST_CR3, __pa(host_pml4));
	vmwrite(HOST_CR4, cr4 & ~X86_CR4_PCIDE);
	vmwrite(HOST_FS_BASE, 0);
	vmwrite(HOST_GS_BASE, gs);
	vmwrite(HOST_TR_BASE, descriptor_base(&gdt, tr));
	vmwrite(HOST_GDTR_BASE, gdt.address);
	vmwrite(HOST_IDTR_BASE, idt.address);
	vmwrite(HOST_EFER, efer);
	rdmsrl(MSR_IA32_SYSENTER_CS, msr);
	vmwrite(GUEST_SYSENTER_CS, msr);
	vmwrite(HOST_SYSENTER_CS, msr);
	rdmsrl(MSR_IA32_SYSENTER_ESP, msr);
	vmwrite(GUEST_SYSENTER_ESP, msr);
	vmwrite(HOST_SYSENTER_ESP, msr);
	rdmsrl(MSR_IA32_SYSENTER_EIP, msr);
	vmwrite(GUEST_SYSENTER_EIP, msr);
	vmwrite(HOST_SYSENTER_EIP, msr);
	top->vcpu = v;
	vmwrite(HOST_RSP, (u64)&top->rip);
	vmwrite(HOST_RIP, (u64)beneath_exit_entry);
}

static void choose_controls(void)
{
	u64 basic;
	u32 yes;
	rdmsrl(MSR_IA32_VMX_BASIC, basic);
	yes = basic >> 55 & 1 ? MSR_IA32_VMX_TRUE_PINBASED_CTLS - MSR_IA32_VMX_PINBASED_CTLS : 0;
	vmwrite(PIN_CONTROLS, controls(MSR_IA32_VMX_PINBASED_CTLS + yes, 0));
	vmwrite(PRIMARY_CONTROLS, controls(MSR_IA32_VMX_PROCBASED_CTLS + yes, PRIMARY_MSR_BITMAPS | PRIMARY_SECONDARY));
	vmwrite(SECONDARY_CONTROLS, controls(MSR_IA32_VMX_PROCBASED_CTLS2, SECONDARY_EPT | SECONDARY_RDTSCP | SECONDARY_VPID | SECONDARY_UNRESTRICTED | SECONDARY_INVPCID | SECONDARY_XSAVES));
	vmwrite(EXIT_CONTROLS, controls(MSR_IA32_VMX_EXIT_CTLS + yes, EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_SAVE_EFER | EXIT_LOAD_EFER));
	vmwrite(ENTRY_CONTROLS, controls(MSR_IA32_VMX_ENTRY_CTLS + yes, ENTRY_LOAD_DEBUG | ENTRY_IA32E | ENTRY_LOAD_EFER));
	vmwrite(EXCEPTION_BITMAP, 0);
	vmwrite(MSR_BITMAPS, __pa(msr_bitmap));
	vmwrite(EPT_POINTER, eptp);
	vmwrite(VPID, 1);
	vmwrite(CR0_MASK, X86_CR0_NE);
	vmwrite(CR0_SHADOW, read_cr0());
	vmwrite(CR4_MASK, X86_CR4_VMXE);
	vmwrite(CR4_SHADOW, 0);
}

static void enter(void *unused)
{
	struct vcpu *v = vcpus[smp_processor_id()];
	u64 control;
	u32 revision, high;

	v->error = -EIO;
	rdmsrl(MSR_IA32_FEAT_CTL, control);
	if (!(control & FEAT_CTL_LOCKED)) wrmsrl(MSR_IA32_FEAT_CTL, control | FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX);
	else if (!(control & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX)) return;
	rdmsr(MSR_IA32_VMX_BASIC, revision, high);
	*(u32 *)v->vmxon = *(u32 *)v->vmcs = revision & 0x7fffffff;
	/* Not by the kernel's function, which would remember the bit: Linux shall not see it. */
	asm volatile("mov %0, %%cr4" : : "r"(__read_cr4() | X86_CR4_VMXE));
	if (with_region("on", __pa(v->vmxon)) && with_region("clear", __pa(v->vmcs)) && with_region("load", __pa(v->vmcs))) {
		choose_controls();
		take_state(v);
		if (beneath_launch() == 0) {
			v->inside = true;
			v->error = 0;
			return;
		}
		pr_err("beneath: processor %d: VMLAUNCH fails with error %llu\n", v->cpu, vmread(INSTRUCTION_ERROR));
	}
	asm volatile("vmxoff" : : : "cc");
	asm volatile("mov %0, %%cr4" : : "r"(__read_cr4() & ~X86_CR4_VMXE));
}

/* ---- VM exits ---- */

static void advance(void)
{
	vmwrite(GUEST_RIP, vmread(GUEST_RIP) + vmread(INSTRUCTION_LENGTH));
	vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~3ull);
}

static void inject(u32 vector, bool has_code)
{
	if (has_code) vmwrite(ENTRY_ERROR_CODE, 0);
	vmwrite(ENTRY_EVENT, 1u << 31 | 3 << 8 | (has_code ? 1 << 11 : 0) | vector);
}

static void emulate_cpuid(struct frame *f)
{
	u32 leaf = f->rax, a = leaf, b, c = f->rcx, d;
	if (leaf == SIGNATURE_LEAF) {
		a = leaf;
		b = 0x656e6542; /* "Beneath Linu" */
		c = 0x20687461;
		d = 0x756e694c;
	} else {
		asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		if (leaf == 1) {
			c &= ~(1u << 5 | 1u << 27);
			if (vmread(GUEST_CR4) & X86_CR4_OSXSAVE) c |= 1u << 27;
			c |= 1u << 31;
		}
	}
	f->rax = a;
	f->rbx = b;
	f->rcx = c;
	f->rdx = d;
	advance();
}

static u64 *general(struct frame *f, int n)
{
	u64 *const registers[] = { &f->rax, &f->rcx, &f->rdx, &f->rbx, NULL, &f->rbp, &f->rsi, &f->rdi, &f->r8, &f->r9, &f->r10, &f->r11, &f->r12, &f->r13, &f->r14, &f->r15 };
	return registers[n];
}

/* CR0 with another NE: with it paging may be switched on, and with that IA-32e mode. */
static void change_cr0(u64 value)
{
	u64 efer = vmread(GUEST_EFER), entry = vmread(ENTRY_CONTROLS);
	vmwrite(CR0_SHADOW, value);
	vmwrite(GUEST_CR0, value | X86_CR0_NE);
	if ((value & X86_CR0_PG) && (efer & EFER_LME)) {
		vmwrite(GUEST_EFER, efer | EFER_LMA);
		vmwrite(ENTRY_CONTROLS, entry | ENTRY_IA32E);
	} else {
		vmwrite(GUEST_EFER, efer & ~(u64)EFER_LMA);
		vmwrite(ENTRY_CONTROLS, entry & ~(u64)ENTRY_IA32E);
	}
}

static bool access_register(struct frame *f, u64 qualification)
{
	int cr = qualification & 15, kind = qualification >> 4 & 3, n = qualification >> 8 & 15;
	u64 value;
	if (kind == 3 && cr == 0) value = (vmread(CR0_SHADOW) & ~0xeull) | (qualification >> 16 & 15);
	else if (kind == 0) value = n == 4 ? vmread(GUEST_RSP) : *general(f, n);
	else return false;
	if (cr == 0) {
		change_cr0(value);
	} else if (cr == 4) {
		if (value & X86_CR4_VMXE) {
			inject(13, true);
			return true;
		}
		vmwrite(GUEST_CR4, value | X86_CR4_VMXE);
	} else {
		return false;
	}
	advance();
	return true;
}

static void set_segment(int n, u16 selector, u64 base, u32 limit, u32 rights)
{
	vmwrite(GUEST_ES_SELECTOR + 2 * n, selector);
	vmwrite(GUEST_ES_BASE + 2 * n, base);
	vmwrite(GUEST_ES_LIMIT + 2 * n, limit);
	vmwrite(GUEST_ES_RIGHTS + 2 * n, rights);
}

/* What INIT makes of a processor (SDM volume 3, "Processor State After Reset"); it then waits for a SIPI. */
static void reset(struct frame *f)
{
	int n;
	memset(f, 0, offsetof(struct frame, rip));
	f->rdx = cpuid_eax(1);
	for (n = 0; n < 6; n++) set_segment(n, 0, 0, 0xffff, n == 1 ? 0x9b : 0x93);
	set_segment(6, 0, 0, 0xffff, 0x82);
	set_segment(7, 0, 0, 0xffff, 0x8b);
	vmwrite(GUEST_GDTR_BASE, 0);
	vmwrite(GUEST_GDTR_LIMIT, 0xffff);
	vmwrite(GUEST_IDTR_BASE, 0);
	vmwrite(GUEST_IDTR_LIMIT, 0xffff);
	vmwrite(GUEST_CR0, X86_CR0_ET | X86_CR0_NE | X86_CR0_NW | X86_CR0_CD);
	vmwrite(CR0_SHADOW, X86_CR0_ET | X86_CR0_NW | X86_CR0_CD);
	vmwrite(GUEST_CR3, 0);
	vmwrite(GUEST_CR4, X86_CR4_VMXE);
	vmwrite(GUEST_EFER, 0);
	vmwrite(ENTRY_CONTROLS, vmread(ENTRY_CONTROLS) & ~(u64)ENTRY_IA32E);
	vmwrite(GUEST_DR7, 0x400);
	vmwrite(GUEST_DEBUGCTL, 0);
	vmwrite(GUEST_RIP, 0xfff0);
	vmwrite(GUEST_RSP, 0);
	vmwrite(GUEST_RFLAGS, 2);
	vmwrite(GUEST_INTERRUPTIBILITY, 0);
	vmwrite(GUEST_PENDING_DEBUG, 0);
	vmwrite(GUEST_ACTIVITY, ACTIVITY_WAIT_FOR_SIPI);
}

static void start_up(u64 vector)
{
	set_segment(1, vector << 8, vector << 12, 0xffff, 0x9b);
	vmwrite(GUEST_RIP, 0);
	vmwrite(GUEST_ACTIVITY, 0);
}

static void step(struct vcpu *v, bool on)
{
	u64 primary = vmread(PRIMARY_CONTROLS);
	v->stepping = on;
	vmwrite(PRIMARY_CONTROLS, on ? primary | PRIMARY_MONITOR_TRAP : primary & ~(u64)PRIMARY_MONITOR_TRAP);
}

/* The access goes through for one instruction, then the page is gone again. */
static bool let_through(struct vcpu *v, u64 qualification)
{
	if ((vmread(GUEST_PHYSICAL) & PAGE_MASK) != __pa(watched)) return false;
	atomic_inc(qualification & 2 ? &watched_writes : &watched_reads);
	WRITE_ONCE(*watched_entry, __pa(watched) | 6 << 3 | 3);
	invept_all();
	step(v, true);
	return true;
}

/* Out of VMX operation, and on as if the module had never been there. */
static void leave(struct vcpu *v, struct frame *f)
{
	u64 fs = vmread(GUEST_FS_BASE), gs = vmread(GUEST_GS_BASE), cr3 = vmread(GUEST_CR3), cr4 = vmread(GUEST_CR4) & ~X86_CR4_VMXE, dr7 = vmread(GUEST_DR7);
	struct desc_ptr gdt = { vmread(GUEST_GDTR_LIMIT), vmread(GUEST_GDTR_BASE) };
	struct desc_ptr idt = { vmread(GUEST_IDTR_LIMIT), vmread(GUEST_IDTR_BASE) };
	u16 tr = vmread(GUEST_ES_SELECTOR + 14), ldtr = vmread(GUEST_ES_SELECTOR + 12);
	struct desc_struct *writable = get_cpu_gdt_rw(v->cpu);
	struct desc_ptr writable_gdt = { gdt.size, (unsigned long)writable };

	f->rip = vmread(GUEST_RIP) + vmread(INSTRUCTION_LENGTH);
	f->cs = vmread(GUEST_ES_SELECTOR + 2);
	f->rflags = vmread(GUEST_RFLAGS);
	f->rsp = vmread(GUEST_RSP);
	f->ss = vmread(GUEST_ES_SELECTOR + 4);
	f->rax = 1;
	v->inside = false;
	with_region("clear", __pa(v->vmcs));
	asm volatile("vmxoff" : : : "cc");
	/* VM exits leave the limits of GDTR, IDTR and TR changed. Linux's GDT is read-only where it is used. */
	native_load_gdt(&writable_gdt);
	writable[tr >> 3].type &= ~2;
	asm volatile("ltr %0" : : "r"(tr));
	native_load_gdt(&gdt);
	load_idt(&idt);
	asm volatile("lldt %0" : : "r"(ldtr));
	asm volatile("mov %0, %%cr4" : : "r"(cr4 & ~X86_CR4_PCIDE));
	asm volatile("mov %0, %%cr3" : : "r"(cr3 & ~0xfffull) : "memory");
	asm volatile("mov %0, %%cr4" : : "r"(cr4));
	asm volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
	set_debugreg(dr7, 7);
	wrmsrl(MSR_FS_BASE, fs);
	wrmsrl(MSR_GS_BASE, gs);
}

/* Whether the guest goes on as a guest. */
bool beneath_exit(struct frame *f)
{
	struct vcpu *v = f->vcpu;
	u64 reason = vmread(EXIT_REASON), qualification = vmread(EXIT_QUALIFICATION);

	v->exits[min_t(u64, reason & 0xffff, EXITS - 1)]++;
	switch (reason) {
	case 3:
		reset(f);
		return true;
	case 4:
		start_up(qualification & 0xff);
		return true;
	case 10:
		emulate_cpuid(f);
		return true;
	case 13: /* INVD */
		wbinvd();
		advance();
		return true;
	case 18:
		if ((vmread(GUEST_ES_RIGHTS + 4) >> 5 & 3) == 0 && f->rax == CALL_LEAVE) {
			leave(v, f);
			return false;
		}
		if (f->rax != CALL_WATCH) break;
		WRITE_ONCE(*watched_entry, 0);
		invept_all();
		f->rax = __pa(watched);
		advance();
		return true;
	case 28:
		if (access_register(f, qualification)) return true;
		break;
	case 31: /* RDMSR and WRMSR of what the bitmap has, or does not reach */
		if ((u32)f->rcx == MSR_IA32_FEAT_CTL) {
			f->rax = FEAT_CTL_LOCKED;
			f->rdx = 0;
			advance();
			return true;
		}
		inject(13, true);
		return true;
	case 32:
		inject(13, true);
		return true;
	case 37:
		WRITE_ONCE(*watched_entry, 0);
		invept_all();
		step(v, false);
		return true;
	case 48:
		if (let_through(v, qualification)) return true;
		break;
	case 55: /* XSETBV; what it may load the kernel knows better */
		asm volatile("xsetbv" : : "c"((u32)f->rcx), "a"((u32)f->rax), "d"((u32)f->rdx));
		advance();
		return true;
	case 19 ... 27:
	case 50:
	case 53:
		break; /* VMX instructions: there is no VMX */
	default:
		if (v->unexpected++ == 0) pr_err("beneath: processor %d: VM exit %llx at %llx, qualification %llx\n", v->cpu, reason, vmread(GUEST_RIP), qualification);
		if (v->unexpected > 5) panic("beneath: it does not go on");
	}
	inject(6, false);
	return true;
}

/* ---- The module ---- */

static bool build_tables(void)
{
	u64 capability, physical;
	int n;
	host_pml4 = (u64 *)get_zeroed_page(GFP_KERNEL);
	ept_pml4 = (u64 *)get_zeroed_page(GFP_KERNEL);
	ept_pdpt = (u64 *)get_zeroed_page(GFP_KERNEL);
	ept_pd = (u64 *)get_zeroed_page(GFP_KERNEL);
	ept_pt = (u64 *)get_zeroed_page(GFP_KERNEL);
	msr_bitmap = (void *)get_zeroed_page(GFP_KERNEL);
	watched = (u8 *)get_zeroed_page(GFP_KERNEL);
	if (!host_pml4 || !ept_pml4 || !ept_pdpt || !ept_pd || !ept_pt || !msr_bitmap || !watched) return false;
	/* The kernel's half, which is the same for every process. */
	memcpy(host_pml4 + ENTRIES / 2, (u64 *)__va(__read_cr3() & CR3_ADDR_MASK) + ENTRIES / 2, PAGE_SIZE / 2);

	rdmsrl(MSR_IA32_VMX_EPT_VPID_CAP, capability);
	if (!(capability & EPT_1G_PAGES) || !(capability & EPT_INVEPT_ALL)) return false;
	/* Everything is where it is, write-back, in pages of 1 GiB; the watched page's is split to 4 KiB. */
	physical = __pa(watched);
	ept_pml4[0] = __pa(ept_pdpt) | 7;
	for (n = 0; n < ENTRIES; n++) ept_pdpt[n] = (u64)n << 30 | 1 << 7 | 6 << 3 | 7;
	ept_pdpt[physical >> 30] = __pa(ept_pd) | 7;
	for (n = 0; n < ENTRIES; n++) ept_pd[n] = (physical & ~0x3fffffffull) | (u64)n << 21 | 1 << 7 | 6 << 3 | 7;
	ept_pd[physical >> 21 & 511] = __pa(ept_pt) | 7;
	for (n = 0; n < ENTRIES; n++) ept_pt[n] = (physical & ~0x1fffffull) | (u64)n << 12 | 6 << 3 | 7;
	watched_entry = &ept_pt[physical >> 12 & 511];
	eptp = __pa(ept_pml4) | 3 << 3 | 6;

	/* VMX's MSRs and the register that permits it are hidden; the bits for reading come first, those for writing 2 KiB behind. */
	for (n = MSR_IA32_VMX_BASIC; n <= MSR_IA32_VMX_VMFUNC; n++) __set_bit(n, msr_bitmap);
	__set_bit(MSR_IA32_FEAT_CTL, msr_bitmap);
	__set_bit(MSR_IA32_FEAT_CTL, msr_bitmap + 2048);
	return true;
}

static void release(void)
{
	int cpu;
	void *pages[] = { host_pml4, ept_pml4, ept_pdpt, ept_pd, ept_pt, msr_bitmap, watched };
	for_each_possible_cpu(cpu) {
		if (!vcpus[cpu]) continue;
		free_page((unsigned long)vcpus[cpu]->vmxon);
		free_page((unsigned long)vcpus[cpu]->vmcs);
		free_pages((unsigned long)vcpus[cpu]->stack, get_order(HOST_STACK));
		kfree(vcpus[cpu]);
	}
	for (cpu = 0; cpu < ARRAY_SIZE(pages); cpu++) free_page((unsigned long)pages[cpu]);
}

static void give_back(void *unused)
{
	if (vcpus[smp_processor_id()]->inside) call(CALL_LEAVE);
}

/* As a guest, on the processor at hand: the signature, the watched page, and what is hidden. */
static void look_around(void)
{
	u32 a = SIGNATURE_LEAF, signature[3], c;
	u64 msr = 0;
	int error;
	asm volatile("cpuid" : "+a"(a), "=b"(signature[0]), "=c"(signature[1]), "=d"(signature[2]) : "c"(0));
	c = cpuid_ecx(1);
	error = rdmsrl_safe(MSR_IA32_VMX_BASIC, &msr);
	pr_info("beneath: signature %.12s, VMX %s, IA32_VMX_BASIC %s, CR4.VMXE %s\n", (char *)signature, c >> 5 & 1 ? "seen" : "hidden", error ? "hidden" : "seen", __read_cr4() & X86_CR4_VMXE ? "seen" : "hidden");
	call(CALL_WATCH);
	WRITE_ONCE(watched[5], 7);
	WRITE_ONCE(watched[4000], READ_ONCE(watched[5]) + 1);
	pr_info("beneath: the watched page holds %d, after %d reads and %d writes\n", READ_ONCE(watched[4000]), atomic_read(&watched_reads), atomic_read(&watched_writes));
}

static int __init beneath_init(void)
{
	int cpu, inside = 0, online = 0;
	if (!(cpuid_ecx(1) & 1 << 5)) {
		pr_err("beneath: there is no VMX\n");
		return -ENODEV;
	}
	if (!build_tables()) goto failed;
	for_each_possible_cpu(cpu) {
		struct vcpu *v = vcpus[cpu] = kzalloc(sizeof(*v), GFP_KERNEL);
		if (!v) goto failed;
		v->cpu = cpu;
		v->vmxon = (void *)get_zeroed_page(GFP_KERNEL);
		v->vmcs = (void *)get_zeroed_page(GFP_KERNEL);
		v->stack = (u8 *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, get_order(HOST_STACK));
		if (!v->vmxon || !v->vmcs || !v->stack) goto failed;
	}
	cpus_read_lock();
	on_each_cpu(enter, NULL, 1);
	for_each_online_cpu(cpu) {
		online++;
		inside += vcpus[cpu]->inside;
	}
	if (inside < online) on_each_cpu(give_back, NULL, 1);
	cpus_read_unlock();
	pr_info("beneath: Linux is a guest on %d of %d processors\n", inside, online);
	if (inside < online) goto failed;
	look_around();
	return 0;
failed:
	release();
	return -EIO;
}

static void __exit beneath_exit_module(void)
{
	int cpu, n;
	cpus_read_lock();
	on_each_cpu(give_back, NULL, 1);
	cpus_read_unlock();
	for_each_possible_cpu(cpu) {
		if (!vcpus[cpu]) continue;
		/* A processor that is off still waits as a guest, for a SIPI that only we would answer. */
		if (vcpus[cpu]->inside) panic("beneath: processor %d is a guest that nobody can give back", cpu);
		for (n = 0; n < EXITS; n++)
			if (vcpus[cpu]->exits[n]) pr_info("beneath: processor %d had %lu VM exits %d\n", cpu, vcpus[cpu]->exits[n], n);
	}
	pr_info("beneath: Linux is its own master, CR4.VMXE %s, the watched page holds %d\n", __read_cr4() & X86_CR4_VMXE ? "left behind" : "clear", watched[4000]);
	release();
}

module_init(beneath_init);
module_exit(beneath_exit_module);
