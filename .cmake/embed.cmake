# Writes OUT, a C++ file holding every file of the migrations in the folder DIR, and in the folder MORE
# if there is one, as text (cmake -D DIR= [-D MORE=] -D OUT= -P).
set(names "")
foreach(dir IN ITEMS ${DIR} ${MORE})
  file(GLOB found RELATIVE ${dir} ${dir}/*.up.sql ${dir}/*.down.sql ${dir}/verify/*.sql ${dir}/catalog/*.txt)
  foreach(name IN LISTS found)
    list(APPEND names "${name}")
    set(path_of_${name} "${dir}/${name}")
  endforeach()
endforeach()
list(SORT names)
set(body "")
set(count 0)
foreach(name IN LISTS names)
  file(READ "${path_of_${name}}" text)
  string(FIND "${text}" ")sql_text\"" clash)
  if(NOT clash EQUAL -1)
    message(FATAL_ERROR "${name}: contains the raw string delimiter )sql_text\"")
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
