// An initial RAM disk of busybox, kernel modules and a script: the "newc" format of cpio, gzipped.
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

const FILE = 0o100755;
const FOLDER = 0o040755;
const LINK = 0o120777;
const CHARACTER = 0o020600;

const aligned = (bytes) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);

/** One archive member; `rdev` is the number of a device. */
function member(inode, name, mode, data, rdev) {
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, ...rdev, name.length + 1, 0];
  const head = Buffer.from('070701' + fields.map((v) => v.toString(16).padStart(8, '0')).join('') + name + '\0');
  return Buffer.concat([aligned(head), aligned(data)]);
}

/** `files` maps names to contents, `links` to targets. */
function archive(folders, files, links) {
  let inode = 1;
  const parts = [];
  const add = (name, mode, data = Buffer.alloc(0), rdev = [0, 0]) => parts.push(member(inode++, name, mode, Buffer.from(data), rdev));
  for (const folder of folders) add(folder, FOLDER);
  add('dev/console', CHARACTER, undefined, [5, 1]);
  for (const [name, data] of Object.entries(files)) add(name, FILE, data);
  for (const [name, target] of Object.entries(links)) add(name, LINK, target);
  add('TRAILER!!!', 0);
  return Buffer.concat(parts);
}

/** A RAM disk with further `files`: the kernel takes as many archives as follow each other, and to unpack large ones would cost more than it saves. */
export const withFiles = (ramDisk, folders, files) => Buffer.concat([aligned(ramDisk), archive(folders, files, {})]);

const APPLETS = ['sh', 'cat', 'cttyhack', 'dd', 'dmesg', 'echo', 'grep', 'head', 'insmod', 'ls', 'mount', 'nproc', 'poweroff', 'reboot', 'setsid', 'sha256sum', 'sleep', 'tail', 'taskset', 'uname', 'wc'];

const INIT = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in $(cat /lib/order); do insmod /lib/$module || echo "INSMOD $module FAILED"; done
exec setsid cttyhack sh
`;

const SIGNED = '~Module signature appended~\n';

/** A module as if it had never been signed: checking signatures costs more instructions than everything else that is tested. */
function unsigned(bytes) {
  return bytes.subarray(-SIGNED.length).toString('latin1') === SIGNED ? bytes.subarray(0, -SIGNED.length) : bytes;
}

/** Modules in the order in which they have to be loaded, dependencies first; `folder` is that of the kernel's modules. */
function inOrder(folder, wanted) {
  const all = new Map();
  for (const file of fs.readdirSync(folder, { recursive: true })) if (file.endsWith('.ko')) all.set(path.basename(file, '.ko').replaceAll('-', '_'), path.join(folder, file));
  const order = new Map();
  const visit = (name) => {
    const file = all.get(name);
    if (file === undefined || order.has(name)) return; // built in, or there already
    const bytes = fs.readFileSync(file);
    const depends = /\0depends=([^\0]*)\0/.exec(bytes.toString('latin1'))?.[1] ?? '';
    for (const other of depends.split(',')) if (other !== '') visit(other.replaceAll('-', '_'));
    order.set(name, unsigned(bytes));
  };
  wanted.forEach(visit);
  return order;
}

/** The RAM disk: busybox's shell as init, `modules` (names with underscores) loaded, and further `programs`. */
export function busyboxInitramfs({ busybox, moduleFolder, modules = [], programs = {} }) {
  const loaded = inOrder(moduleFolder, modules);
  const files = { 'bin/busybox': fs.readFileSync(busybox), init: INIT, 'lib/order': [...loaded.keys()].map((name) => `${name}.ko`).join('\n') };
  for (const [name, bytes] of loaded) files[`lib/${name}.ko`] = bytes;
  for (const [name, bytes] of Object.entries(programs)) files[`bin/${name}`] = bytes;
  return zlib.gzipSync(archive(['bin', 'dev', 'lib', 'proc', 'sys'], files, Object.fromEntries(APPLETS.map((applet) => [`bin/${applet}`, 'busybox']))));
}
