// Reads the settings of an http handler that may be secrets; see the header.
#include "config/http_handler.hpp"

#include <array>

#include "config/fields.hpp"
#include "config/source.hpp"
#include "core/url_template.hpp"

namespace outbox::config {

void read_http_url(Section& section, const Context& context, core::HttpHandler& http) {
  const std::optional<Source> source = only_source(section, kUrlKeys, "url");
  if (!source) {
    section.conflict({}, section.path("url") + " is missing: the handler has no url",
                     "write url: https://example.com/hook, or give its source as url_env or "
                     "url_file");
    return;
  }
  std::optional<std::string> text = read_source(section, context, *source);
  if (!text) return;
  core::UrlTemplate::Parsed parsed = core::UrlTemplate::parse(*text);
  if (!parsed.url) {
    section.refuse(source->key, "the url " + parsed.problem, std::move(parsed.hint));
    return;
  }
  http.url = std::move(*text);
  if (is_variable(*source)) http.url_env = source->node->text;
  if (is_file(*source)) http.url_file = absolute_path(context, source->node->text);
}

void read_handler_secret(Section& section, const Context& context, const std::string& name,
                         core::Secret& secret, TextRule rule) {
  const std::string env = name + "_env";
  const std::string file = name + "_file";
  const std::array<std::string_view, 2> keys{env, file};
  const std::optional<Source> source = only_source(section, keys, name);
  if (!source) return;
  std::optional<std::string> text = read_source(section, context, *source);
  if (!text) return;
  Complaint wrong = rule(*text);
  if (!wrong.problem.empty()) {
    section.refuse(source->key, wrong.problem, std::move(wrong.hint));
    return;
  }
  secret.text = std::move(*text);
  if (is_variable(*source)) secret.env = source->node->text;
  if (is_file(*source)) secret.file = absolute_path(context, source->node->text);
}

}  // namespace outbox::config
