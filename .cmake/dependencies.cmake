# What liboutbox.a links. Read by our own build and, installed, by find_package(outboxd).
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(PkgConfig)
find_dependency(nlohmann_json)
find_dependency(spdlog)
find_dependency(yaml-cpp)
find_dependency(CLI11)
find_dependency(CURL 7.88)
find_dependency(OpenSSL 3.0)
# pkg-config where the CMake package is missing (pqxx, httplib) or drags in what we do not link
# (prometheus-cpp: curl and civetweb). httplib's flags decide its class layout: always take them from here.
pkg_check_modules(PQXX REQUIRED IMPORTED_TARGET libpqxx>=6.4)
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
pkg_check_modules(PROMETHEUS REQUIRED IMPORTED_TARGET prometheus-cpp-core)
