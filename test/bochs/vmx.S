# The VMM that plays VM entries on another machine: a boot sector and, behind it, 64-bit code. It reads its cases from
# the disk, prepares memory and VMCS for each, enters, and tells over COM1 how that went, a line per case:
#
#   V <error> 0           VMfailValid          I 0 0             VMfailInvalid
#   X <reason> <qual>     a VM exit            U <encoding> 0    the processor does not have this field
#
# in hexadecimal; behind those of a VM exit stand the fields of `reported`, in its order. The directory of cases (sector, count) is at DIRECTORY_SECTOR; a case is the number of words to be
# written to memory and these words (address, value), then the number of VMCS fields and these (encoding, value).
.intel_syntax noprefix
.set DIRECTORY_SECTOR, 16
.set DIRECTORY_SECTORS, 16
.set DIRECTORY, 0x180000
.set CASE, 0x200000
.set VMXON, 0x10000
.set VMCS, 0x11000
.set OTHER_VMCS, 0x12000
.set EXIT_HANDLER, 0x101000
.set GUEST, 0x400000
.set GUEST_SIZE, 0x10000
.set COM1, 0x3f8

.code16
.globl _start
_start:
    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    mov si, offset packet
    mov ah, 0x42
    int 0x13
    # Page tables as the hosts of the cases have them: 16 MiB one to one.
    mov edi, 0x1000
    mov ecx, 0x3000 / 4
    xor eax, eax
    cld
    rep stosd
    mov dword ptr [0x1000], 0x2007
    mov dword ptr [0x2000], 0x3007
    mov edi, 0x3000
    mov eax, 0x87
1:  mov [edi], eax
    add eax, 0x200000
    add edi, 8
    cmp edi, 0x3040
    jb 1b
    mov eax, 0x1000
    mov cr3, eax
    mov eax, 0x2020
    mov cr4, eax
    mov ecx, 0xc0000080
    mov eax, 0x100
    xor edx, edx
    wrmsr
    lgdt [gdt_pointer]
    mov eax, 0x80000031
    mov cr0, eax
    .byte 0x66, 0xea
    .long long_mode
    .word 8
packet:
    .byte 16, 0
    .word 8             # sectors
    .word 0x7e00, 0     # to
    .quad 1             # from
.align 8
gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .word 23
    .long gdt
.org 510
    .word 0xaa55

.code64
long_mode:
    mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov esp, 0x7c00
    mov al, 0xff        # no interrupts
    out 0x21, al
    out 0xa1, al
    mov ebx, offset serial_setup        # 115200 baud, 8N1
    mov ecx, 5
1:  movzx edx, byte ptr [rbx]
    add edx, COM1
    mov al, [rbx + 1]
    out dx, al
    add ebx, 2
    dec ecx
    jnz 1b
    mov ecx, 0x3a       # VMX outside SMX, locked
    rdmsr
    test al, 1
    jnz 1f
    or al, 5
    wrmsr
1:  mov ecx, 0x480
    rdmsr
    and eax, 0x7fffffff
    mov [revision], eax
    mov [VMXON], eax
    mov qword ptr [pointer], VMXON
    vmxon [pointer]
    mov edi, EXIT_HANDLER       # jmp there: mov eax, after_exit; jmp rax
    mov byte ptr [rdi], 0xb8
    mov dword ptr [rdi + 1], offset after_exit
    mov word ptr [rdi + 5], 0xe0ff
    mov ebx, DIRECTORY_SECTOR
    mov ebp, DIRECTORY_SECTORS
    mov edi, DIRECTORY
    call read_sectors
    mov dword ptr [number], 0

next_case:
    mov eax, [number]
    inc dword ptr [number]
    mov ebx, [DIRECTORY + rax * 8]
    mov ebp, [DIRECTORY + rax * 8 + 4]
    test ebp, ebp
    jz all_done
    mov edi, CASE
    call read_sectors
    mov edi, GUEST
    mov ecx, GUEST_SIZE / 8
    xor eax, eax
    rep stosq
    mov edi, 0x13000            # bitmaps, lists, pages
    mov ecx, 0x7000 / 8
    rep stosq
    mov edi, 0x20000            # EPT
    mov ecx, 0x4000 / 8
    rep stosq
    mov edi, 0x40000            # the MSR area
    mov ecx, 0x3000 / 8
    rep stosq
    mov esi, CASE
    mov rcx, [rsi]
    add rsi, 8
1:  test rcx, rcx
    jz 2f
    mov rdi, [rsi]
    mov rax, [rsi + 8]
    mov [rdi], rax
    add rsi, 16
    dec rcx
    jmp 1b
2:  mov eax, [OTHER_VMCS]       # relative to this processor's revision identifier
    add eax, [revision]
    mov [OTHER_VMCS], eax
    mov qword ptr [pointer], VMCS
    vmclear [pointer]
    mov edi, VMCS               # fields that nobody writes are 0
    mov ecx, 0x1000 / 8
    xor eax, eax
    rep stosq
    mov eax, [revision]
    mov [VMCS], eax
    vmclear [pointer]
    vmptrld [pointer]
    mov rcx, [rsi]
    add rsi, 8
3:  test rcx, rcx
    jz 4f
    mov rdx, [rsi]
    mov rax, [rsi + 8]
    vmwrite rdx, rax
    jbe unsupported
    add rsi, 16
    dec rcx
    jmp 3b
4:  vmlaunch
    jc 5f
    mov edx, 0x4400
    vmread rbx, rdx
    xor ebp, ebp
    mov al, 'V'
    jmp tell
5:  xor ebx, ebx
    xor ebp, ebp
    mov al, 'I'
    jmp tell
unsupported:
    mov rbx, rdx
    xor ebp, ebp
    mov al, 'U'
    jmp tell

after_exit:
    mov edx, 0x4402
    vmread rbx, rdx
    mov edx, 0x6400
    vmread rbp, rdx
    mov al, 'X'
tell:
    mov esp, 0x7c00
    mov [kind], al
    call print
    mov al, ' '
    call print
    call print_hex
    mov al, ' '
    call print
    mov rbx, rbp
    call print_hex
    cmp byte ptr [kind], 'X'
    jne 2f
    mov esi, offset reported
1:  movzx edx, word ptr [rsi]
    test edx, edx
    jz 2f
    xor ebx, ebx
    vmread rbx, rdx
    mov al, ' '
    call print
    call print_hex
    add esi, 2
    jmp 1b
2:  mov al, 10
    call print
    jmp next_case

all_done:
    mov al, 'E'
    call print
    mov al, 10
    call print
1:  hlt
    jmp 1b

# Prints AL.
print:
    mov ah, al
    mov edx, COM1 + 5
1:  in al, dx
    test al, 0x20
    jz 1b
    mov al, ah
    mov edx, COM1
    out dx, al
    ret

# Prints RBX without leading zeros.
print_hex:
    mov ecx, 60
1:  mov r8, rbx
    shr r8, cl
    jnz 2f
    sub ecx, 4
    jg 1b
2:  mov rax, rbx
    shr rax, cl
    and al, 15
    cmp al, 10
    jb 3f
    add al, 'a' - '0' - 10
3:  add al, '0'
    call print
    sub ecx, 4
    jns 2b
    ret

# Reads EBP sectors from EBX to EDI, one after another.
read_sectors:
    mov edx, 0x1f6
    mov eax, ebx
    shr eax, 24
    or al, 0xe0
    out dx, al
    mov edx, 0x1f2
    mov al, 1
    out dx, al
    mov eax, ebx
    inc edx
    out dx, al
    shr eax, 8
    inc edx
    out dx, al
    shr eax, 8
    inc edx
    out dx, al
    mov edx, 0x1f7
    mov al, 0x20
    out dx, al
1:  in al, dx
    test al, 0x80
    jnz 1b
    test al, 8
    jz 1b
    mov edx, 0x1f0
    mov ecx, 256
    rep insw
    inc ebx
    dec ebp
    jnz read_sectors
    ret

serial_setup:
    .byte 3, 0x80, 0, 1, 1, 0, 3, 3, 4, 3
# Instruction length and information, interruption information and error code, IDT-vectoring information and error code,
# guest-linear and guest-physical address, then RIP, activity state, interruptibility state, pending debug exceptions,
# RFLAGS.
reported:
    .word 0x440c, 0x440e, 0x4404, 0x4406, 0x4408, 0x440a, 0x640a, 0x2400, 0x681e, 0x4826, 0x4824, 0x6822, 0x6820, 0
kind:
    .byte 0
.align 8
pointer:  .quad 0
revision: .long 0
number:   .long 0
