// Text forms of histories.
#include "chaos/history.hpp"

#include <istream>
#include <sstream>
#include <stdexcept>

namespace outbox::chaos {

namespace {

const char* to_text(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::undone:
      return "undone";
    case Outcome::unknown:
      return "unknown";
  }
  return "unknown";
}

Outcome outcome_from(const std::string& text) {
  for (const auto outcome : {Outcome::ok, Outcome::undone, Outcome::unknown}) {
    if (text == to_text(outcome)) return outcome;
  }
  throw std::runtime_error{"no outcome: '" + text + "'"};
}

std::istream& operator>>(std::istream& in, Transaction& out) {
  std::string outcome;
  if (in >> out.first.producer >> out.first.seq >> out.count >> outcome)
    out.outcome = outcome_from(outcome);
  return in;
}

std::istream& operator>>(std::istream& in, Effect& out) {
  return in >> out.key.producer >> out.key.seq >> out.job_id >> out.attempt >> out.at_us;
}

template <class T>
std::vector<T> read_lines(std::istream& in) {
  std::vector<T> out;
  std::string line;
  while (std::getline(in, line)) {
    if (in.eof()) break;  // torn
    std::istringstream words{line};
    T value;
    if (!(words >> value)) throw std::runtime_error{"not a line of a history: '" + line + "'"};
    out.push_back(std::move(value));
  }
  return out;
}

}  // namespace

std::string to_line(const Transaction& transaction) {
  return std::to_string(transaction.first.producer) + ' ' + std::to_string(transaction.first.seq) +
         ' ' + std::to_string(transaction.count) + ' ' + to_text(transaction.outcome) + '\n';
}

std::string to_line(const Effect& effect) {
  return std::to_string(effect.key.producer) + ' ' + std::to_string(effect.key.seq) + ' ' +
         std::to_string(effect.job_id) + ' ' + std::to_string(effect.attempt) + ' ' +
         std::to_string(effect.at_us) + '\n';
}

std::vector<Transaction> read_transactions(std::istream& in) { return read_lines<Transaction>(in); }
std::vector<Effect> read_effects(std::istream& in) { return read_lines<Effect>(in); }

}  // namespace outbox::chaos
