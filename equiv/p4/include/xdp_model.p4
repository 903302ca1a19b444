/* The xdp_model architecture, as far as parsers are concerned. */
#ifndef EQUIV_XDP_MODEL_P4
#define EQUIV_XDP_MODEL_P4
#include <core.p4>
enum xdp_action { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT }
struct xdp_input { bit<32> input_port; }
struct xdp_output { xdp_action output_action; bit<32> output_port; }
package xdp();
#endif
