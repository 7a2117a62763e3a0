// What the list of fields says about the values of a setting. Values only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace outbox::config {

/// From min to max, both allowed.
template <class T>
struct Range {
  T min;
  T max;
};

/// Whole days, written with the unit: 14d.
struct Days {
  int min;
  int max;
};

/// A size, written with the unit (8KiB) or 0.
struct Bytes {
  std::int64_t min;
  std::int64_t max;
};

/// Bits of a mode, written in octal as for chmod: 077.
struct Octal {
  int max;
};

/// Text of at most so many characters; empty is allowed.
struct Characters {
  std::size_t max;
};

/// The path of a file that is there when the configuration is read; empty: none. A relative one
/// starts at the folder of the configuration. `secret`: not to be read by everybody.
struct File {
  bool secret;
};

/// What is wrong with a text; `problem` ("is ...", "has ...") is empty when nothing is.
struct Complaint {
  std::string problem;
  std::string hint;
};
using TextRule = Complaint (*)(const std::string& text);

/// A list of texts, each of which follows the rule; `what` they are, in the plural.
struct Texts {
  std::size_t least;
  std::string_view what;
  TextRule rule;
};

/// A list of whole numbers.
struct Numbers {
  std::size_t least;
  Range<int> each;
};

/// Names and values of headers.
struct Headers {};

/// Items of any of these lists, and headers.
inline constexpr std::size_t kItemsMax = 64;

/// A word of the file and what it stands for.
template <class T>
struct Word {
  std::string_view text;
  T value;
};

}  // namespace outbox::config
