// Named places where tests let this process be killed, fail, stall, or lose its connection.
// Compiled in only with OUTBOX_FAULT_POINTS (the presets for development); else nothing is left of
// them.
#pragma once

namespace outbox::observe {

#if defined(OUTBOX_FAULT_POINTS)
/// Does what OUTBOX_FAULT says of this place: "NAME:ACTION:EVERY:MOST", read once. Each EVERYth
/// time that it is reached, at most MOST times: `kill` ends the process as SIGKILL does, `throw`
/// throws a core::DbError that did not come from the server, `stall` waits OUTBOX_FAULT_STALL_MS
/// (default 1000), `cut` ends the connection of `socket` (none: nothing happens). Each hit is first
/// noted as a line "NAME ACTION" in the file OUTBOX_FAULT_LOG. Thread contract: any thread.
void fault_point(const char* name, int socket = -1);
inline constexpr bool kHasFaultPoints = true;
#else
inline void fault_point(const char* /*name*/, int /*socket*/ = -1) {}
inline constexpr bool kHasFaultPoints = false;
#endif

}  // namespace outbox::observe
