// SPDX-License-Identifier: MIT
#include "prompt_words.hpp"

#include <algorithm>
#include <string_view>

namespace cli {

namespace {

constexpr std::string_view piece_end = "</w>";          // CLIP
constexpr std::string_view goes_on = "##";              // BERT
constexpr std::string_view line_lead = "\xe2\x96\x81";  // U+2581: T5, Llama
constexpr std::string_view gpt_lead = "\xc4\xa0";       // U+0120: GPT, the byte of a space
constexpr std::string_view space_lead = " ";

enum class Style { plain, clip, bert, low_line, gpt, blank };

unsigned char byte_of(char letter) {
  return static_cast<unsigned char>(letter);
}

/// ASCII and the Latin letters of U+00C0..U+00DE.
std::string lower(std::string text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned char byte = byte_of(text[i]);
    const bool latin =
        i > 0 && byte_of(text[i - 1]) == 0xc3 && byte >= 0x80 && byte <= 0x9e && byte != 0x97;
    if (latin || (byte >= 'A' && byte <= 'Z')) text[i] = static_cast<char>(byte + 0x20);
  }
  return text;
}

void erase_all(std::string& text, std::string_view part) {
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at))
    text.erase(at, part.size());
}

/// Without spaces at the ends, one for each run of them.
std::string single_spaced(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    const bool space = letter == ' ' || letter == '\t' || letter == '\n';
    if (!space) result += letter;
    if (space && !result.empty() && result.back() != ' ') result += ' ';
  }
  while (result.ends_with(' ')) result.pop_back();
  return result;
}

Style style_of(const std::vector<std::string>& tokens) {
  const auto any = [&](const auto& is) { return std::any_of(tokens.begin(), tokens.end(), is); };
  if (any([](const std::string& token) { return token.ends_with(piece_end); })) return Style::clip;
  if (any([](const auto& token) { return token.starts_with(line_lead); })) return Style::low_line;
  if (any([](const std::string& token) { return token.starts_with(gpt_lead); })) return Style::gpt;
  const auto of_bert = [](const std::string& token) {
    return token == "[CLS]" || (token.starts_with(goes_on) && token.size() > goes_on.size());
  };
  if (any(of_bert)) return Style::bert;
  const auto led = [](const std::string& token) { return token.starts_with(space_lead); };
  return any(led) ? Style::blank : Style::plain;
}

/// What a token that begins a word begins with; "" where nothing says so.
std::string_view lead_of(Style style) {
  if (style == Style::low_line) return line_lead;
  if (style == Style::gpt) return gpt_lead;
  return style == Style::blank ? space_lead : "";
}

bool is_utf8(std::string_view text) {
  std::size_t open = 0;  // bytes that a letter still needs
  for (const char letter : text) {
    const unsigned char byte = byte_of(letter);
    const bool continues = (byte & 0xc0U) == 0x80;
    if (continues != (open > 0) || byte >= 0xf8) return false;
    if (continues) --open;
    if (!continues) open = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc0 ? 1 : 0;
  }
  return open == 0;
}

/// The bytes behind the letters that stand for them in CLIP and GPT: those that can be printed
/// stand for themselves, the others for U+0100 and so on. As it was where a letter stands for none.
std::string unmapped(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned char first = byte_of(text[i]);
    if (first < 0x80) {
      bytes += text[i];
      continue;
    }
    if (first < 0xc2 || first > 0xc5 || i + 1 == text.size()) return text;
    unsigned letter = (first & 0x1fU) << 6U | (byte_of(text[++i]) & 0x3fU);
    if (letter < 0xa1 || letter == 0xad || letter > 0x143) return text;
    if (letter >= 0x100) {
      letter -= 0x100;  // 0..32, 127..160, 173
      letter = letter <= 32 ? letter : letter <= 66 ? letter + 94 : 173;
    }
    bytes += static_cast<char>(letter);
  }
  return bytes;
}

/// What is left of a token without what marks begin and end.
std::string bare(std::string token, Style style) {
  if (style == Style::clip && token.ends_with(piece_end)) {
    token.resize(token.size() - piece_end.size());
  }
  if (style == Style::bert && token.starts_with(goes_on)) token.erase(0, goes_on.size());
  if (style == Style::low_line || style == Style::gpt) erase_all(token, lead_of(style));
  return token;
}

/// The bare texts; of CLIP and GPT the bytes behind them, if that makes sense of all.
std::vector<std::string> texts_of(const std::vector<std::string>& tokens, Style style) {
  std::vector<std::string> texts;
  std::vector<std::string> bytes;
  std::string all;
  for (const std::string& token : tokens) {
    texts.push_back(is_mark(token) ? "" : bare(token, style));
    bytes.push_back(unmapped(texts.back()));
    all += bytes.back();
  }
  const bool mapped = style == Style::clip || style == Style::gpt;
  if (mapped && is_utf8(all)) texts = std::move(bytes);
  for (std::string& text : texts) text = lower(single_spaced(text));
  return texts;
}

enum class Kind { letter, digit, sign };

Kind kind_of(unsigned char byte) {
  if (byte >= '0' && byte <= '9') return Kind::digit;
  return byte >= 0x80 || (byte >= 'a' && byte <= 'z') ? Kind::letter : Kind::sign;
}

Kind first_kind(const std::string& text) {
  const bool dash = text.starts_with("\xe2\x80");  // U+2000..203F: dashes and quotation marks
  return dash ? Kind::sign : kind_of(byte_of(text.front()));
}

Kind last_kind(const std::string& text) {
  const bool dash = text.size() >= 3 && text.compare(text.size() - 3, 2, "\xe2\x80") == 0;
  return dash ? Kind::sign : kind_of(byte_of(text.back()));
}

}  // namespace

bool is_mark(const std::string& token) {
  if (token.size() > 2 && token.starts_with('<') && token.ends_with('>'))
    return !token.ends_with(piece_end);
  const auto capital = [](char letter) {
    return (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9');
  };
  return token.size() > 2 && token.starts_with('[') && token.ends_with(']') &&
         std::all_of(token.begin() + 1, token.end() - 1, capital);
}

PromptWords::PromptWords(const std::vector<std::string>& tokens) : raw_(tokens) {
  const Style style = style_of(tokens);
  const std::string_view lead = lead_of(style);
  std::vector<std::string> texts = texts_of(tokens, style);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    Gap gap = Gap::joined;
    const bool mark = is_mark(tokens[i]);
    if (i == 0 || mark || tokens_.back().mark || (!lead.empty() && tokens[i].starts_with(lead))) {
      gap = Gap::space;
    } else if (!lead.empty() && tokens_.back().text.empty()) {
      gap = tokens_.back().before;  // a token that is a space alone
    } else if ((style == Style::clip && tokens[i - 1].ends_with(piece_end)) ||
               (style == Style::bert && !tokens[i].starts_with(goes_on))) {
      gap = Gap::piece;
    } else if (style == Style::plain) {
      gap = Gap::unknown;
    }
    tokens_.push_back({std::move(texts[i]), gap, mark});
  }
}

/// True where `right` may follow `left` within a word, or behind a space.
bool PromptWords::fits(const Token& left, const Token& right, bool space) const {
  if (right.before == Gap::unknown) return true;
  if (space) return right.before != Gap::joined;
  if (right.before != Gap::piece) return right.before == Gap::joined;
  return left.text.empty() || last_kind(left.text) != Kind::letter ||
         first_kind(right.text) != Kind::letter;
}

/// True where a word may begin or end, before the token `at`.
bool PromptWords::is_edge(std::size_t at) const {
  if (at == 0 || at == tokens_.size() || tokens_[at].before != Gap::joined) return true;
  const std::string& left = tokens_[at - 1].text;
  const std::string& right = tokens_[at].text;
  return left.empty() || right.empty() || last_kind(left) != first_kind(right);
}

/// The end of the run from `begin` that spells `word`; `begin` itself when there is none.
std::size_t PromptWords::spelled(std::size_t begin, const std::string& word) const {
  std::size_t at = 0;  // in word
  for (std::size_t i = begin; i < tokens_.size(); ++i) {
    const Token& token = tokens_[i];
    if (token.mark) return begin;
    if (token.text.empty()) continue;
    const bool space = i > begin && word[at] == ' ';
    if (i > begin && !fits(tokens_[i - 1], token, space)) return begin;
    if (space) ++at;
    if (word.compare(at, token.text.size(), token.text) != 0) return begin;
    at += token.text.size();
    if (at == word.size()) return is_edge(i + 1) ? i + 1 : begin;
  }
  return begin;
}

std::pair<std::size_t, std::size_t> PromptWords::find(const std::string& word) const {
  const std::string wanted = lower(single_spaced(word));
  for (std::size_t begin = 0; begin < tokens_.size() && !wanted.empty(); ++begin) {
    const Token& token = tokens_[begin];
    if (token.mark && lower(raw_[begin]) == wanted) return {begin, begin + 1};
    if (token.mark || token.text.empty() || !is_edge(begin)) continue;
    const std::size_t end = spelled(begin, wanted);
    if (end != begin) return {begin, end};
  }
  return {0, 0};
}

}  // namespace cli
