// The program outboxd: the whole of it is in the library; here it has no C++ handlers.
#include <outbox/program.hpp>

int main(int argc, char** argv) { return outbox::run_program(argc, argv, {}); }
