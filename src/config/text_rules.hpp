// Rules for single texts of the handlers http and exec, for the list of fields. Pure.
#pragma once

#include <string>

#include "config/accepted.hpp"

namespace outbox::config {

/// An argument of a program: at most 4,096 bytes, no NUL.
[[nodiscard]] Complaint argument_rule(const std::string& text);

/// The name of an environment variable that is not one of ours (OUTBOX_...).
[[nodiscard]] Complaint variable_rule(const std::string& text);

/// A network of IP addresses, as core::parse_network takes it.
[[nodiscard]] Complaint network_rule(const std::string& text);

/// A bearer token: printable ASCII without spaces, at most 4,089 bytes. Does not quote it.
[[nodiscard]] Complaint bearer_rule(const std::string& text);

/// Keys that sign, as core::parse_signing_keys takes them. Does not quote them.
[[nodiscard]] Complaint signing_rule(const std::string& text);

}  // namespace outbox::config
