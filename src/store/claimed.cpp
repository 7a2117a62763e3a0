// Claims as arrays.
#include "store/claimed.hpp"

#include "pg/array.hpp"

namespace outbox::store {

std::string LatestClaims::ids() const {
  std::vector<std::int64_t> out;
  for (const auto& [id, token] : tokens_) out.push_back(id);
  return pg::int_array(out);
}

std::string LatestClaims::tokens() const {
  std::vector<std::int64_t> out;
  for (const auto& [id, token] : tokens_) out.push_back(token);
  return pg::int_array(out);
}

}  // namespace outbox::store
