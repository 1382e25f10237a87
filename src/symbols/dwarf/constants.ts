/** Numbers of the DWARF standard, versions 2 to 5 ("Encodings"), as far as C compilers use them, and GNU's extensions. */

export const Tag = {
  array_type: 0x01, class_type: 0x02, enumeration_type: 0x04, formal_parameter: 0x05, lexical_block: 0x0b, member: 0x0d,
  pointer_type: 0x0f, reference_type: 0x10, compile_unit: 0x11, string_type: 0x12, structure_type: 0x13, subroutine_type: 0x15,
  typedef: 0x16, union_type: 0x17, unspecified_parameters: 0x18, inheritance: 0x1c, module: 0x1e, inlined_subroutine: 0x1d,
  subrange_type: 0x21, base_type: 0x24, const_type: 0x26, enumerator: 0x28, subprogram: 0x2e, variable: 0x34,
  volatile_type: 0x35, restrict_type: 0x37, namespace: 0x39, unspecified_type: 0x3b, partial_unit: 0x3c,
  type_unit: 0x41, imported_unit: 0x3d, variant_part: 0x33, variant: 0x19, template_type_parameter: 0x2f, rvalue_reference_type: 0x42, atomic_type: 0x47, skeleton_unit: 0x4a,
  call_site: 0x48, call_site_parameter: 0x49, GNU_call_site: 0x4109, GNU_call_site_parameter: 0x410a,
} as const;

export const At = {
  sibling: 0x01, location: 0x02, name: 0x03, byte_size: 0x0b, bit_offset: 0x0c, bit_size: 0x0d, stmt_list: 0x10, low_pc: 0x11,
  high_pc: 0x12, comp_dir: 0x1b, const_value: 0x1c, inline: 0x20, producer: 0x25, language: 0x13, import: 0x18, discr: 0x15, discr_value: 0x16, discr_list: 0x3d, prototyped: 0x27, lower_bound: 0x22,
  upper_bound: 0x2f, abstract_origin: 0x31, artificial: 0x34, count: 0x37, data_member_location: 0x38, decl_file: 0x3a,
  decl_line: 0x3b, declaration: 0x3c, encoding: 0x3e, external: 0x3f, frame_base: 0x40, specification: 0x47, type: 0x49,
  signature: 0x69, data_bit_offset: 0x6b, entry_pc: 0x52, ranges: 0x55, call_column: 0x57, call_file: 0x58, call_line: 0x59, noreturn: 0x87,
  linkage_name: 0x6e, str_offsets_base: 0x72, addr_base: 0x73, rnglists_base: 0x74, dwo_name: 0x76, loclists_base: 0x8c,
  MIPS_linkage_name: 0x2007, GNU_vector: 0x2107, GNU_dwo_name: 0x2130, GNU_dwo_id: 0x2131, GNU_ranges_base: 0x2132, GNU_addr_base: 0x2133, macros: 0x79, macro_info: 0x43, GNU_macros: 0x2119, alignment: 0x88,
  call_all_tail_calls: 0x7c, call_return_pc: 0x7d, call_value: 0x7e, call_origin: 0x7f, call_parameter: 0x80, call_tail_call: 0x82,
  GNU_call_site_value: 0x2111, GNU_tail_call: 0x2115,
} as const;

export const Form = {
  addr: 0x01, block2: 0x03, block4: 0x04, data2: 0x05, data4: 0x06, data8: 0x07, string: 0x08, block: 0x09, block1: 0x0a,
  data1: 0x0b, flag: 0x0c, sdata: 0x0d, strp: 0x0e, udata: 0x0f, ref_addr: 0x10, ref1: 0x11, ref2: 0x12, ref4: 0x13, ref8: 0x14,
  ref_udata: 0x15, indirect: 0x16, sec_offset: 0x17, exprloc: 0x18, flag_present: 0x19, strx: 0x1a, addrx: 0x1b, ref_sup4: 0x1c,
  strp_sup: 0x1d, data16: 0x1e, line_strp: 0x1f, ref_sig8: 0x20, implicit_const: 0x21, loclistx: 0x22, rnglistx: 0x23,
  ref_sup8: 0x24, strx1: 0x25, strx2: 0x26, strx3: 0x27, strx4: 0x28, addrx1: 0x29, addrx2: 0x2a, addrx3: 0x2b, addrx4: 0x2c,
  GNU_addr_index: 0x1f01, GNU_str_index: 0x1f02, GNU_ref_alt: 0x1f20, GNU_strp_alt: 0x1f21,
} as const;

/** Base type encodings (DW_ATE). */
export const Encoding = {
  address: 0x01, boolean: 0x02, complex_float: 0x03, float: 0x04, signed: 0x05, signed_char: 0x06, unsigned: 0x07,
  unsigned_char: 0x08, UTF: 0x10,
} as const;

/** Unit types of DWARF 5 (DW_UT). */
export const UnitType = { compile: 1, type: 2, partial: 3, skeleton: 4, split_compile: 5, split_type: 6 } as const;
