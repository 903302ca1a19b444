/* What every P4_16 program has, as far as parsers are concerned (P4_16 specification, appendix "core library").
   packet_in with its methods, and verify, are known to the front end itself. */
#ifndef EQUIV_CORE_P4
#define EQUIV_CORE_P4
error {
    NoError,
    PacketTooShort,
    NoMatch,
    StackOutOfBounds,
    HeaderTooShort,
    ParserTimeout,
    ParserInvalidArgument
}
#endif
