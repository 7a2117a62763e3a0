# Compiler flags of our own code only: target outbox_flags, linked PRIVATE, never exported.
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)

add_library(outbox_flags INTERFACE)
target_compile_options(outbox_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  $<$<BOOL:${OUTBOX_WERROR}>:-Werror>)
# At -Og, and under sanitizers, GCC 12 sees ghosts inside its own library; release builds keep this one.
target_compile_options(outbox_flags INTERFACE $<$<CONFIG:Dev>:-Wno-maybe-uninitialized>)

# A source that others are compiled with (CMAKE_UNITY_BUILD) looks to GCC like a header with types of its own.
target_compile_options(outbox_flags INTERFACE $<$<BOOL:${CMAKE_UNITY_BUILD}>:-Wno-subobject-linkage>)

# GCC 12 takes "text" + std::string for an overlapping copy when it inlines it (its bug 105651).
target_compile_options(outbox_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)

target_compile_definitions(outbox_flags INTERFACE $<$<BOOL:${OUTBOX_FAULT_POINTS}>:OUTBOX_FAULT_POINTS>)

if(OUTBOX_SANITIZE STREQUAL "")
  target_compile_options(outbox_flags INTERFACE -fstack-protector-strong)
  target_link_options(outbox_flags INTERFACE -Wl,-z,relro,-z,now)
  # Fortify needs optimisation; 3 needs gcc 12 and glibc 2.34, older ones take it as 2.
  target_compile_options(outbox_flags INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3>)
elseif(OUTBOX_SANITIZE STREQUAL "address")
  set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(OUTBOX_SANITIZE STREQUAL "thread")
  # GCC cannot model atomic_thread_fence and says so with a warning that would stop the build.
  set(sanitize -fsanitize=thread -fno-omit-frame-pointer -Wno-tsan)
else()
  message(FATAL_ERROR "OUTBOX_SANITIZE is '${OUTBOX_SANITIZE}': expected empty, address or thread")
endif()
target_compile_options(outbox_flags INTERFACE ${sanitize})
target_link_options(outbox_flags INTERFACE ${sanitize})
