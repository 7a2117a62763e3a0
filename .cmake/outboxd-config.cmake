# find_package(outboxd) gives the target outbox::outbox.
include(${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/outboxd-targets.cmake)
