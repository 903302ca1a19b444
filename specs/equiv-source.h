/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Says in an object which source it was built from: see source-hashes.md. */
#ifndef EQUIV_SOURCE_H
#define EQUIV_SOURCE_H

#define EQUIV_SOURCE(hashes) \
	static const char equiv_source[] __attribute__((section(".equiv.source"), used)) = hashes

#endif
