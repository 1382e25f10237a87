/** Programs for the tests of the PC, as bytes with their assembly. 16-bit code unless it says otherwise. */

import { bytes as bytesOf } from './machineCode';

const bytes = (text: string): Uint8Array => Uint8Array.from(bytesOf(text));

/** Enables A20 through the keyboard controller, enters protected mode, reads sectors 1 and 2 by PIO to 1 MiB and jumps there. */
export const STAGE1 = bytes(`
  fa                                ; cli
  31 c0                             ; xor ax,ax
  8e d8                             ; mov ds,ax
  8e c0                             ; mov es,ax
  8e d0                             ; mov ss,ax
  e4 64                             ; in al,0x64
  a8 02                             ; test al,0x2
  75 fa                             ; jne 0x9
  b0 d1                             ; mov al,0xd1
  e6 64                             ; out 0x64,al
  e4 64                             ; in al,0x64
  a8 02                             ; test al,0x2
  75 fa                             ; jne 0x13
  b0 df                             ; mov al,0xdf
  e6 60                             ; out 0x60,al
  0f 01 16 a4 7c                    ; lgdtw ds:0x7ca4
  0f 20 c0                          ; mov eax,cr0
  0c 01                             ; or al,0x1
  0f 22 c0                          ; mov cr0,eax
  ea 2f 7c 08 00                    ; jmp 0x8:0x7c2f
  ; 32-bit code
  66 b8 10 00                       ; mov ax,0x10
  8e d8                             ; mov ds,eax
  8e c0                             ; mov es,eax
  8e d0                             ; mov ss,eax
  bc 00 7c 00 00                    ; mov esp,0x7c00
  fc                                ; cld
  bf 00 00 10 00                    ; mov edi,0x100000
  31 db                             ; xor ebx,ebx
  43                                ; inc ebx
  ba f7 01 00 00                    ; mov edx,0x1f7
  ec                                ; in al,dx
  24 c0                             ; and al,0xc0
  3c 40                             ; cmp al,0x40
  75 f9                             ; jne 0x4c
  ba f2 01 00 00                    ; mov edx,0x1f2
  b0 01                             ; mov al,0x1
  ee                                ; out dx,al
  42                                ; inc edx
  88 d8                             ; mov al,bl
  ee                                ; out dx,al
  42                                ; inc edx
  31 c0                             ; xor eax,eax
  ee                                ; out dx,al
  42                                ; inc edx
  ee                                ; out dx,al
  42                                ; inc edx
  b0 e0                             ; mov al,0xe0
  ee                                ; out dx,al
  42                                ; inc edx
  b0 20                             ; mov al,0x20
  ee                                ; out dx,al
  ec                                ; in al,dx
  24 c0                             ; and al,0xc0
  3c 40                             ; cmp al,0x40
  75 f9                             ; jne 0x6d
  ba f0 01 00 00                    ; mov edx,0x1f0
  b9 80 00 00 00                    ; mov ecx,0x80
  f3 6d                             ; rep ins DWORD PTR es:[edi],dx
  83 fb 02                          ; cmp ebx,0x2
  75 c1                             ; jne 0x46
  b8 00 00 10 00                    ; mov eax,0x100000
  ff e0                             ; jmp eax
  00 00 00 00 00 00 00 00 ff ff 00 00 00 9a cf 00 ff ff 00 00 00 92 cf 00 17 00 8c 7c 00 00 ; data
`);

/** Takes five interrupts of the periodic local APIC timer through an IDT gate, then exits with their number. 32-bit code at 1 MiB. */
export const LAPIC_TIMER = bytes(`
  bb 74 00 10 00                    ; mov ebx,0x100074
  66 89 1d 00 92 00 00              ; mov WORD PTR ds:0x9200,bx
  66 c7 05 02 92 00 00 08 00        ; mov WORD PTR ds:0x9202,0x8
  66 c7 05 04 92 00 00 00 8e        ; mov WORD PTR ds:0x9204,0x8e00
  c1 eb 10                          ; shr ebx,0x10
  66 89 1d 06 92 00 00              ; mov WORD PTR ds:0x9206,bx
  0f 01 1d 80 00 10 00              ; lidtd ds:0x100080
  be 00 00 e0 fe                    ; mov esi,0xfee00000
  c7 86 f0 00 00 00 ff 01 00 00     ; mov DWORD PTR [esi+0xf0],0x1ff
  c7 86 50 03 00 00 00 00 01 00     ; mov DWORD PTR [esi+0x350],0x10000
  c7 86 e0 03 00 00 0b 00 00 00     ; mov DWORD PTR [esi+0x3e0],0xb
  c7 86 20 03 00 00 40 00 02 00     ; mov DWORD PTR [esi+0x320],0x20040
  c7 86 80 03 00 00 e8 03 00 00     ; mov DWORD PTR [esi+0x380],0x3e8
  31 c9                             ; xor ecx,ecx
  fb                                ; sti
  f4                                ; hlt
  83 f9 05                          ; cmp ecx,0x5
  75 fa                             ; jne 0x69
  88 c8                             ; mov al,cl
  e6 f4                             ; out 0xf4,al
  f4                                ; hlt
  41                                ; inc ecx
  c7 86 b0 00 00 00 00 00 00 00     ; mov DWORD PTR [esi+0xb0],0x0
  cf                                ; iret
  ff 07 00 90 00 00 ; data
`);

/** Takes ten interrupts of the 8254 through the first 8259, each ended by an EOI, then exits with their number. 32-bit code at 1 MiB. */
/** Waits a millisecond by channel 2 of the 8254, twice, in between with another write to port 0x61; EBX tells every answer apart. */
export const PIT_POLLING = bytes(`
  b0 b0                             ; mov al,0xb0
  e6 43                             ; out 0x43,al
  31 db                             ; xor ebx,ebx
  be 02 00 00 00                    ; mov esi,2
  b0 00                             ; again: mov al,0
  e6 61                             ; out 0x61,al
  e4 61                             ; in al,0x61
  01 c3                             ; add ebx,eax
  b0 a9                             ; mov al,0xa9
  e6 42                             ; out 0x42,al
  b0 04                             ; mov al,0x04
  e6 42                             ; out 0x42,al
  b0 01                             ; mov al,1
  e6 61                             ; out 0x61,al
  e4 61                             ; poll: in al,0x61
  69 db 6d 4e c6 41                 ; imul ebx,ebx,0x41c64e6d
  01 c3                             ; add ebx,eax
  a8 20                             ; test al,0x20
  74 f2                             ; jz poll
  4e                                ; dec esi
  75 db                             ; jnz again
  e6 f4                             ; out 0xf4,al
`);

export const PIT_INTERRUPTS = bytes(`
  bb 5d 00 10 00                    ; mov ebx,0x10005d
  66 89 1d 00 91 00 00              ; mov WORD PTR ds:0x9100,bx
  66 c7 05 02 91 00 00 08 00        ; mov WORD PTR ds:0x9102,0x8
  66 c7 05 04 91 00 00 00 8e        ; mov WORD PTR ds:0x9104,0x8e00
  c1 eb 10                          ; shr ebx,0x10
  66 89 1d 06 91 00 00              ; mov WORD PTR ds:0x9106,bx
  0f 01 1d 65 00 10 00              ; lidtd ds:0x100065
  b0 11                             ; mov al,0x11
  e6 20                             ; out 0x20,al
  b0 20                             ; mov al,0x20
  e6 21                             ; out 0x21,al
  b0 04                             ; mov al,0x4
  e6 21                             ; out 0x21,al
  b0 01                             ; mov al,0x1
  e6 21                             ; out 0x21,al
  b0 fe                             ; mov al,0xfe
  e6 21                             ; out 0x21,al
  b0 34                             ; mov al,0x34
  e6 43                             ; out 0x43,al
  b0 a9                             ; mov al,0xa9
  e6 40                             ; out 0x40,al
  b0 04                             ; mov al,0x4
  e6 40                             ; out 0x40,al
  31 c9                             ; xor ecx,ecx
  fb                                ; sti
  f4                                ; hlt
  83 f9 0a                          ; cmp ecx,0xa
  72 fa                             ; jb 0x52
  88 c8                             ; mov al,cl
  e6 f4                             ; out 0xf4,al
  f4                                ; hlt
  41                                ; inc ecx
  50                                ; push eax
  b0 20                             ; mov al,0x20
  e6 20                             ; out 0x20,al
  58                                ; pop eax
  cf                                ; iret
  ff 07 00 90 00 00 ; data
`);

/** Works through memory, prints a character now and then that depends on everything before, echoes what is typed, and exits at "q". 32-bit code at 1 MiB. */
export const ECHO = bytes(`
  ba fd 03 00 00                    ; mov edx,0x3fd
  ec                                ; in al,dx
  ff 05 00 00 20 00                 ; inc DWORD PTR ds:0x200000
  8b 0d 00 00 20 00                 ; mov ecx,DWORD PTR ds:0x200000
  89 cd                             ; mov ebp,ecx
  81 e5 fc ff 03 00                 ; and ebp,0x3fffc
  89 8d 00 00 30 00                 ; mov DWORD PTR [ebp+0x300000],ecx
  69 f6 6d 4e c6 41                 ; imul esi,esi,0x41c64e6d
  01 ce                             ; add esi,ecx
  03 b5 00 00 30 00                 ; add esi,DWORD PTR [ebp+0x300000]
  f6 c1 ff                          ; test cl,0xff
  75 15                             ; jne 0x48
  89 c3                             ; mov ebx,eax
  89 f0                             ; mov eax,esi
  24 3f                             ; and al,0x3f
  04 20                             ; add al,0x20
  ba f8 03 00 00                    ; mov edx,0x3f8
  ee                                ; out dx,al
  ba fd 03 00 00                    ; mov edx,0x3fd
  89 d8                             ; mov eax,ebx
  a8 01                             ; test al,0x1
  74 b9                             ; je 0x5
  ba f8 03 00 00                    ; mov edx,0x3f8
  ec                                ; in al,dx
  ee                                ; out dx,al
  3c 71                             ; cmp al,0x71
  74 07                             ; je 0x5e
  ba fd 03 00 00                    ; mov edx,0x3fd
  eb a7                             ; jmp 0x5
  30 c0                             ; xor al,al
  e6 f4                             ; out 0xf4,al
  f4                                ; hlt
`);

/** Asks the BIOS for everything a boot sector asks, and exits with 0 after a key; with 1 when a call failed. */
export const BIOS_CALLS = bytes(`
  31 c0                             ; xor ax,ax
  8e d8                             ; mov ds,ax
  8e c0                             ; mov es,ax
  88 16 00 70                       ; mov BYTE PTR ds:0x7000,dl
  b8 48 0e                          ; mov ax,0xe48
  cd 10                             ; int 0x10
  b0 69                             ; mov al,0x69
  cd 10                             ; int 0x10
  bf 00 80                          ; mov di,0x8000
  66 31 db                          ; xor ebx,ebx
  66 b8 20 e8 00 00                 ; mov eax,0xe820
  66 ba 50 41 4d 53                 ; mov edx,0x534d4150
  66 b9 14 00 00 00                 ; mov ecx,0x14
  cd 15                             ; int 0x15
  72 57                             ; jb 0x86
  83 c7 14                          ; add di,0x14
  66 85 db                          ; test ebx,ebx
  75 e2                             ; jne 0x19
  89 3e 02 70                       ; mov WORD PTR ds:0x7002,di
  cd 12                             ; int 0x12
  a3 04 70                          ; mov ds:0x7004,ax
  b4 88                             ; mov ah,0x88
  cd 15                             ; int 0x15
  a3 06 70                          ; mov ds:0x7006,ax
  b4 08                             ; mov ah,0x8
  b2 80                             ; mov dl,0x80
  cd 13                             ; int 0x13
  89 0e 08 70                       ; mov WORD PTR ds:0x7008,cx
  89 16 0a 70                       ; mov WORD PTR ds:0x700a,dx
  31 c0                             ; xor ax,ax
  8e c0                             ; mov es,ax
  b8 01 02                          ; mov ax,0x201
  b9 02 00                          ; mov cx,0x2
  ba 80 00                          ; mov dx,0x80
  bb 00 90                          ; mov bx,0x9000
  cd 13                             ; int 0x13
  72 1d                             ; jb 0x86
  b4 42                             ; mov ah,0x42
  b2 80                             ; mov dl,0x80
  be 8b 7c                          ; mov si,0x7c8b
  cd 13                             ; int 0x13
  72 12                             ; jb 0x86
  b4 ff                             ; mov ah,0xff
  cd 13                             ; int 0x13
  73 0c                             ; jae 0x86
  fb                                ; sti
  30 e4                             ; xor ah,ah
  cd 16                             ; int 0x16
  a3 0c 70                          ; mov ds:0x700c,ax
  30 c0                             ; xor al,al
  e6 f4                             ; out 0xf4,al
  b0 01                             ; mov al,0x1
  e6 f4                             ; out 0xf4,al
  f4                                ; hlt
  10 00 01 00 00 92 00 00 02 00 00 00 00 00 00 00 ; data
`);

/** Waits a tenth of a second by INT 15h 86h, then exits with the high byte of CR0's upper half: caches on is 0. */
export const BIOS_WAIT = bytes(`
  b4 86                             ; mov ah,0x86
  b9 01 00                          ; mov cx,0x1
  ba a0 86                          ; mov dx,0x86a0
  cd 15                             ; int 0x15
  72 09                             ; jb 0x15
  0f 20 c0                          ; mov eax,cr0
  66 c1 e8 18                       ; shr eax,0x18
  e6 f4                             ; out 0xf4,al
  f4                                ; hlt
`);

/** Looks for a key and at the time, by turns, until there is a key, and exits with the low byte of the timer's ticks. */
export const BIOS_POLLING = bytes(`
  fb                                ; sti
  b4 01                             ; mov ah,0x1
  cd 16                             ; int 0x16
  75 06                             ; jne 0xd
  b4 00                             ; mov ah,0x0
  cd 1a                             ; int 0x1a
  eb f4                             ; jmp 0x1
  88 d0                             ; mov al,dl
  e6 f4                             ; out 0xf4,al
  f4                                ; hlt
`);

/** Reads keys and shows them until Enter. */
export const BIOS_TYPING = bytes(`
  fb                                ; sti
  b4 00                             ; mov ah,0x0
  cd 16                             ; int 0x16
  3c 0d                             ; cmp al,0xd
  74 06                             ; je 0xf
  b4 0e                             ; mov ah,0xe
  cd 10                             ; int 0x10
  eb f2                             ; jmp 0x1
  b0 00                             ; mov al,0x0
  e6 f4                             ; out 0xf4,al
  f4                                ; hlt
`);
