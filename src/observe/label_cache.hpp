// From label values to the metrics behind them, without an allocation once they are known. Any
// thread.
#pragma once

#include <functional>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/text.hpp"

namespace outbox::observe {

/// Label values come from people and from tables: past this many, new ones share one entry named
/// "other".
inline constexpr std::size_t kLabelSetsMax = 1'000;

/// T is made once for each pair of label values, by `make(first, second)`, and never moves or dies
/// before the cache.
template <class T>
class LabelCache {
 public:
  using Make = std::function<T(const std::string&, const std::string&)>;

  explicit LabelCache(Make make) : make_{std::move(make)} {}

  T& get(std::string_view first, std::string_view second) {
    {
      const std::shared_lock lock{mutex_};
      const auto found = entries_.find(View{first, second});
      if (found != entries_.end()) return found->second;
    }
    return insert(first, second);
  }

 private:
  using View = std::pair<std::string_view, std::string_view>;
  using Key = std::pair<std::string, std::string>;

  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard's name
    std::size_t operator()(const View& view) const {
      const std::hash<std::string_view> hash;
      return hash(view.first) * 31 + hash(view.second);
    }
    std::size_t operator()(const Key& key) const { return (*this)(View{key.first, key.second}); }
  };
  struct Equal {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard's name
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return std::string_view{a.first} == std::string_view{b.first} &&
             std::string_view{a.second} == std::string_view{b.second};
    }
  };

  T& insert(std::string_view first, std::string_view second) {
    const std::unique_lock lock{mutex_};
    Key key{first, second};
    if (entries_.size() >= kLabelSetsMax && !entries_.contains(key)) {
      key = {"other", second.empty() ? "" : "other"};
    }
    const auto found = entries_.find(key);
    if (found != entries_.end()) return found->second;
    constexpr std::size_t kLongest = 256;
    T made = make_(core::printable(key.first, kLongest), core::printable(key.second, kLongest));
    return entries_.emplace(std::move(key), std::move(made)).first->second;
  }

  Make make_;
  std::shared_mutex mutex_;
  std::unordered_map<Key, T, Hash, Equal> entries_;
};

}  // namespace outbox::observe
