/** A boot disk that shows a picture: in mode 13h every column in another of the first 64 colours, and after a key the first line in white. */
import { bytes } from './machineCode';

const CODE = bytes(`
  b8 13 00 cd 10          ; mov ax, 0x0013; int 0x10
  68 00 a0 07 31 ff       ; push 0xa000; pop es; xor di, di
  fc b2 c8                ; cld; mov dl, 200
  31 c0                   ; xor ax, ax
  b9 40 01                ; mov cx, 320
  88 c4 80 e4 3f          ; mov ah, al; and ah, 0x3f
  26 88 25 47             ; mov es:[di], ah; inc di
  40 e2 f4                ; inc ax; loop to mov ah, al
  fe ca 75 eb             ; dec dl; jnz to xor ax, ax
  31 c0 cd 16             ; xor ax, ax; int 0x16
  31 ff b0 0f b9 40 01    ; xor di, di; mov al, 15; mov cx, 320
  f3 aa                   ; rep stosb
  31 c0 cd 16             ; xor ax, ax; int 0x16
  b8 03 00 cd 10          ; mov ax, 0x0003; int 0x10
  f4 eb fd                ; hlt; jmp to it
`);

export function pictureDisk(): Uint8Array {
  const image = new Uint8Array(64 * 512);
  image.set(CODE);
  image.set([0x55, 0xaa], 510);
  return image;
}
