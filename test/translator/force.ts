/** Required by mocha or imported by a program: every engine made from here on translates whatever a sample finds, at once. */
import { translatorPolicy } from '../../src/cpu/engine/translator';

Object.assign(translatorPolicy, { enabled: true, threshold: 0, slice: 200, straight: 0, leaves: 0 });
