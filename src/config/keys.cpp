// Walks the list of fields and notes the names.
#include "config/keys.hpp"

#include <map>

#include "config/fields.hpp"
#include "config/number.hpp"
#include "config/text.hpp"

namespace outbox::config {
namespace {

class Lister {
 public:
  Lister(std::string prefix, std::vector<Key>& keys) : prefix_{std::move(prefix)}, keys_{keys} {}

  template <class T, class Accepted>
  void operator()(const char* key, T& /*value*/, const Accepted& accepted) {
    add(key, describe(accepted));
  }
  template <class T, class E, std::size_t N>
  void operator()(const char* key, T& /*value*/, const std::array<Word<E>, N>& words) {
    std::vector<std::string> texts;
    for (const Word<E>& word : words) texts.emplace_back(word.text);
    add(key, join_or(texts));
  }
  void operator()(const char* key, bool& /*value*/) { add(key, "true or false"); }

  template <class T>
  void operator()(const char* key, T& section) {
    Lister inner{prefix_ + key + ".", keys_};
    fields(inner, section);
  }
  template <class T>
  void operator()(const char* key, std::optional<T>& /*section*/) {
    T inner;
    (*this)(key, inner);
  }
  template <class T>
  void operator()(const char* key, std::map<std::string, T>& /*named*/) {
    Lister inner{prefix_ + key + ".*.", keys_};
    T value;
    fields(inner, value);
  }

  void database_url(std::string& /*url*/) {
    for (const std::string_view key : kUrlKeys) add(key, {});
    for (const std::string_view key : kPasswordKeys) add(key, {});
  }
  void sql_handler(std::optional<core::SqlHandler>& /*sql*/) {
    for (const std::string_view key : kSqlKeys) add(key, {});
  }
  void http_url(core::HttpHandler& /*http*/) {
    for (const std::string_view key : kUrlKeys) add(key, {});
  }
  void secret(const std::string& name, core::Secret& /*secret*/, TextRule /*rule*/) {
    for (const char* source : {"_env", "_file"}) add(name + source, {});
  }
  void listen(core::AdminOptions& /*admin*/) { add("listen", {}); }

 private:
  void add(std::string_view key, std::string range) {
    keys_.push_back({prefix_ + std::string{key}, std::move(range)});
  }

  std::string prefix_;
  std::vector<Key>& keys_;
};

std::vector<Key> list_keys() {
  std::vector<Key> keys;
  core::Options options;
  Lister lister{"", keys};
  fields(lister, options);
  return keys;
}

}  // namespace

const std::vector<Key>& known_keys() {
  static const std::vector<Key> keys = list_keys();
  return keys;
}

}  // namespace outbox::config
