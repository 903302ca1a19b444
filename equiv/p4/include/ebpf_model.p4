/* The ebpf_model architecture, as far as parsers are concerned. */
#ifndef EQUIV_EBPF_MODEL_P4
#define EQUIV_EBPF_MODEL_P4
#include <core.p4>
package ebpfFilter();
#endif
