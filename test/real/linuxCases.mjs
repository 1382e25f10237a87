// What Debian's Linux is asked to do: kernel modules, disks, what is typed and what the console has to show. The
// terminal echoes what is typed, so texts to be expected are put together by the shell.

const KVM_EXITS = ['KVM_EXIT_IO port=0x10 value=0x41', 'KVM_EXIT_MMIO write address=0x8000', 'KVM_EXIT_MMIO read address=0x8000', 'value=0x5a', 'value=0x18', 'KVM_EXIT_HLT', 'KVM guest done'];
const KVM_OWN_EXITS = ['EPT_VIOLATION', 'IO_INSTRUCTION', 'CPUID', 'EPT_MISCONFIGURATION', 'VMCALL', 'HLT'];
const IDE = {
  modules: ['ata_piix', 'sd_mod'],
  type: ['head -c 22 /dev/sda; echo', 'echo changed > /dev/sda; sync; dd if=/dev/sda of=/dev/null bs=64k 2>&1', 'grep -c piix /proc/interrupts'],
  expect: ['HYPERSTEP DISK SECTOR', '64+0 records out', '\n2\n'],
};
const VIRTIO = {
  modules: ['virtio_pci', 'virtio_blk'],
  type: ['head -c 22 /dev/vda; echo; grep virtio /proc/interrupts', 'dd if=/dev/vda of=/dev/null bs=64k 2>&1'],
  expect: ['HYPERSTEP DISK SECTOR', 'PCI-MSI', 'virtio2-req.0', '64+0 records out'],
};
const KVM = { modules: ['kvm_intel'], programs: ['kvmGuest'], type: ['kvmGuest'], expect: KVM_EXITS, exits: KVM_OWN_EXITS };

/** `quick`: what CI runs at every change, in one boot; the others are its parts and more. */
export const CASES = [
  {
    name: 'quick',
    what: 'a shell, disks by IDE and virtio, and KVM with a guest, in one boot',
    quick: true,
    disks: ['--disk', '--virtio'],
    modules: [...IDE.modules, ...VIRTIO.modules, ...KVM.modules],
    programs: KVM.programs,
    type: ['echo sum $((6 * 7))', ...IDE.type, ...VIRTIO.type, ...KVM.type],
    expect: ['sum 42', ...IDE.expect, ...VIRTIO.expect, ...KVM.expect],
    exits: KVM.exits,
  },
  {
    name: 'shell',
    what: 'a shell that answers',
    modules: [],
    type: ['echo sum $((6 * 7))', 'uname -a', 'cat /proc/interrupts'],
    expect: ['sum 42', 'cloud-amd64', 'LOC:'],
  },
  {
    name: 'shell4',
    what: 'four processors, one taken away and brought back',
    cpus: 4,
    modules: [],
    type: ['nproc', 'for i in 1 2 3 4 5 6 7 8; do sha256sum /bin/busybox & done; wait; echo hashed', 'taskset 8 cat /proc/self/stat > /dev/null; grep -c "^processor" /proc/cpuinfo', 'echo 0 > /sys/devices/system/cpu/cpu2/online; nproc; echo 1 > /sys/devices/system/cpu/cpu2/online; nproc', 'grep LOC: /proc/interrupts'],
    expect: ['\n4\n', 'hashed', '\n4\n', '\n3\n', '4\n', 'LOC:'],
  },
  {
    name: 'suspend',
    what: 'asleep in S3, woken by the clock, with its disks and KVM on two processors',
    cpus: 2,
    disks: ['--disk', '--virtio'],
    modules: [...IDE.modules, ...VIRTIO.modules, ...KVM.modules],
    programs: KVM.programs,
    type: ['echo +2 > /sys/class/rtc/rtc0/wakealarm; echo mem > /sys/power/state; echo slept with $?, $(nproc) processors', 'dmesg | grep -c "Waking up from system sleep state S3"', ...IDE.type.slice(0, 2), ...VIRTIO.type, 'for i in 0 1; do taskset $((1 << i)) kvmGuest > /out$i & done; wait; cat /out*'],
    expect: ['slept with 0, 2 processors', '\n1\n', ...IDE.expect.slice(0, 2), ...VIRTIO.expect, 'KVM guest done', 'KVM guest done'],
    exits: KVM.exits,
  },
  { name: 'ide', what: 'a disk by IDE', disks: ['--disk'], ...IDE },
  { name: 'ide4', what: 'a disk by IDE, with four processors', cpus: 4, disks: ['--disk'], ...IDE },
  { name: 'virtio', what: 'a disk by virtio', disks: ['--virtio'], ...VIRTIO },
  { name: 'virtio4', what: 'a disk by virtio, with four processors', cpus: 4, disks: ['--virtio'], ...VIRTIO },
  { name: 'kvm', what: 'KVM with a guest', ...KVM },
  {
    name: 'kvm-shadow',
    what: 'KVM without EPT',
    modules: ['kvm_intel'],
    programs: ['kvmGuest'],
    // Without EPT KVM has shadow page tables, and no unrestricted guest: real mode is virtual-8086 mode, where HLT faults.
    type: ['busybox rmmod kvm_intel', 'insmod /lib/kvm_intel.ko ept=0', 'kvmGuest'],
    expect: ['KVM_EXIT_IO port=0x10 value=0x41', 'KVM_EXIT_MMIO write address=0x8000', 'KVM_EXIT_HLT', 'KVM guest done'],
    exits: ['EXCEPTION_OR_NMI', 'IO_INSTRUCTION', 'CPUID', 'VMCALL'],
  },
  {
    name: 'kvm4',
    what: 'KVM with a guest on each of four processors',
    cpus: 4,
    modules: ['kvm_intel'],
    programs: ['kvmGuest'],
    type: ['for i in 0 1 2 3; do taskset $((1 << i)) kvmGuest > /out$i & done; wait; cat /out*; grep -c "KVM guest done" /out0 /out1 /out2 /out3'],
    expect: ['KVM guest done', '/out0:1', '/out1:1', '/out2:1', '/out3:1'],
    exits: KVM_OWN_EXITS,
  },
  {
    name: 'kvm-apic',
    what: "KVM's APIC virtualization",
    modules: ['kvm_intel'],
    programs: ['kvmApic'],
    type: ['grep . /sys/module/kvm_intel/parameters/enable_apicv', 'kvmApic'],
    // Version, task priority, what the handlers counted: held back, delivered, timer, x2APIC's task priority, self-IPI.
    expect: ['\nY\n', 'KVM guest says: 0x14 0x70 0x0 0x1 0x1 0x50 0x2 done'],
    exits: ['APIC_WRITE', 'APIC_ACCESS'],
  },
];
