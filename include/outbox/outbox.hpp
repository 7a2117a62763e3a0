// Everything public.
#pragma once

#include <outbox/enqueue.hpp>
#include <outbox/job.hpp>
#include <outbox/outcome.hpp>
#include <outbox/program.hpp>
#include <outbox/registry.hpp>
#include <outbox/version.hpp>
