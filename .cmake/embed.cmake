# Writes OUT, a C++ file holding every migration of DIR as text (cmake -D DIR= -D OUT= -P).
file(GLOB files ${DIR}/*.up.sql ${DIR}/*.down.sql)
list(SORT files)
set(body "")
set(count 0)
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" text)
  string(FIND "${text}" ")sql_text\"" clash)
  if(NOT clash EQUAL -1)
    message(FATAL_ERROR "${file}: contains the raw string delimiter )sql_text\"")
  endif()
  string(APPEND body "    {\"${name}\", R\"sql_text(${text})sql_text\"},\n")
  math(EXPR count "${count} + 1")
endforeach()
file(WRITE "${OUT}" "// Generated from migrations/ by .cmake/embed.cmake: do not edit.
#include <array>

#include \"store/embedded.hpp\"

namespace outbox::store {
namespace {
constexpr std::array<EmbeddedFile, ${count}> kFiles{{
${body}}};
}  // namespace

std::span<const EmbeddedFile> embedded_migrations() { return kFiles; }
}  // namespace outbox::store
")
