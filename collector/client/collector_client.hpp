// The client a player builds in, for C++17 and libcurl: the same contract, requests and files as client.py.
//
// Why a check asks twice, and what is never counted twice, is told in contract.py; what the files hold in state.py and
// waiting.py. Every function that sends waits for the network, at most LIMIT_MS for each of two or three requests: call
// them from a thread of your own, one at a time. Nothing throws into the player but a wrong endpoint
// (std::invalid_argument). Call curl_global_init once before, as libcurl asks. Link with -lcurl.
//
//   collector::Client client({"https://stats.example.org", "player", "1.4.2", "stable", "windows", "x86_64", folder});
//   client.feature("subtitles", 3);
//   // verify a release's signature before running it
//   if (auto release = client.check()) offer(release->version, release->url);
#pragma once

#include <curl/curl.h>
#include <time.h>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace collector {

constexpr long LIMIT_MS = 10000, MOST_BYTES = 65536;
using Text = std::string;

struct Day {  // a number since 1970-01-01
  long number = 0;
  // H. Hinnant, chrono-Compatible Low-Level Date Algorithms
  static Day of(long year, long month, long day) {
    year -= month <= 2;
    const long of_era = year % 400, of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return {year / 400 * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468};
  }
  Text text() const {
    const long shifted = number + 719468, of_era = shifted % 146097;
    const long year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const long of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
    const long day = of_year - (153 * month + 2) / 5 + 1, from_january = month < 10 ? month + 3 : month - 9;
    const long all = ((year + shifted / 146097 * 400 + (month >= 10)) * 100 + from_january) * 100 + day;
    const Text digits = std::to_string(100000000 + all).substr(1);
    return digits.substr(0, 4) + "-" + digits.substr(4, 2) + "-" + digits.substr(6);
  }
  Day monday() const { return {number - (number + 3) % 7}; }
  Day month() const { return {number - std::stol(text().substr(8)) + 1}; }
  static std::optional<Day> read(const Text& told) {
    static const std::regex shape("(19[7-9][0-9]|[2-9][0-9]{3})-([0-9]{2})-([0-9]{2})");
    std::smatch parts;
    if (!std::regex_match(told, parts, shape)) return std::nullopt;
    const Day day = of(std::stol(parts[1]), std::stol(parts[2]), std::stol(parts[3]));
    return day.text() == told ? std::optional(day) : std::nullopt;  // there is no 30th of February
  }
};

// The last day, week and month in which this installation was counted; its first week.
struct Counted { Day day, week, month, installed; };
using MaybeCounted = std::optional<Counted>;
inline Text first(const MaybeCounted& counted, Day day) {
  if (!counted) return "dwme";
  if (day.number <= counted->day.number) return "";
  const Text week = day.monday().number > counted->week.number ? "w" : "";
  return "d" + week + (day.month().number > counted->month.number ? "m" : "");
}
inline Text age(const MaybeCounted& counted, Day day) {
  const long weeks = counted ? std::max(0L, (day.monday().number - counted->installed.number) / 7) : 0;
  return std::to_string(weeks >= 52 ? 52 : weeks >= 26 ? 26 : weeks >= 13 ? 13 : weeks);
}
inline MaybeCounted after(const MaybeCounted& counted, const Text& said, Day day) {
  const Counted all{day, day.monday(), day.month(), day.monday()};
  if (!counted) return said.empty() ? std::nullopt : MaybeCounted(all);
  const bool is_back = day.number < counted->day.number;  // the server's clock once ran ahead
  Counted then = *counted;
  if (is_back && all.week.number < then.installed.number) then.installed = all.week;
  if (is_back || said.find('d') != Text::npos) then.day = all.day;
  if (is_back || said.find('w') != Text::npos) then.week = all.week;
  if (is_back || said.find('m') != Text::npos) then.month = all.month;
  return then;
}

struct Moment {  // whole seconds: since 1970 as the machine believes, and since it was started
  long long wall_s = 0, steady_s = 0;
  static Moment now() {
    using namespace std::chrono;
    Moment now{duration_cast<seconds>(system_clock::now().time_since_epoch()).count(),
               duration_cast<seconds>(steady_clock::now().time_since_epoch()).count()};
#ifdef CLOCK_BOOTTIME  // Linux' steady clock stands still while the machine sleeps
    if (timespec told{}; clock_gettime(CLOCK_BOOTTIME, &told) == 0) now.steady_s = told.tv_sec;
#endif
    return now;
  }
};
inline Text random_id() {  // UUID version 4
  std::random_device random;
  char told[37];
  std::snprintf(told, sizeof told, "%08x-%04x-4%03x-%04x-%04x%08x", random(), random() & 0xffff, random() & 0xfff,
                (random() & 0x3fff) | 0x8000, random() & 0xffff, random());
  return told;
}
struct Options {
  Text endpoint, product, version, channel, os, arch;
  std::filesystem::path state_folder;
  bool test = false;  // developers, automation and CI: everything is answered, nothing counted
  std::function<Moment()> clock = Moment::now;
  std::function<Text()> new_id = random_id;
};

struct Release { Text version, url, json; };  // json: all the server said of it
using Value = std::variant<Text, long long, bool>;
using Fields = std::vector<std::pair<Text, Value>>;

class Client {
 public:
  explicit Client(Options options) : told_(std::move(options)) {
    static const std::regex allowed(R"(https://.+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/.*)?)");
    if (!std::regex_match(told_.endpoint, allowed)) throw std::invalid_argument("endpoint: must begin with https://");
    while (told_.endpoint.back() == '/') told_.endpoint.pop_back();
    read_state();
  }

  // The newer release, if there is one. Sends what waits, too.
  std::optional<Release> check() {
    return quietly([this]() -> std::optional<Release> {
      const Answer heard = send("HEAD", check_target("", ""));
      if (heard.status == 0 || heard.status >= 500 || heard.status == 429) return failed(heard);
      const std::optional<Day> day = heard.is_good() ? heard.day : std::nullopt;
      const Text said = day && can_keep() ? first(counted_, *day) : "";
      const bool tells_age = said.find('w') != Text::npos;  // only a week's first check is counted by age
      const Answer answer = send("GET", check_target(said, tells_age ? age(counted_, *day) : ""));
      if (!answer.is_good()) return failed(answer);
      if (day && !is_opted_out()) {
        counted_ = after(counted_, said, answer.day ? *answer.day : *day);
        write(file("counted"), state_text());
      }
      failures_ = day ? 0 : failures_ + 1;
      retry_after_s_ = answer.retry_after_s;
      if (day) send_waiting();
      return release(answer.body);
    });
  }
  // Seconds until the next check is due: at random, so that no hour has a peak, and never a day without one.
  double next_check_after() const {
    std::random_device random;
    const auto between = [&](double low, double high) { return std::uniform_real_distribution<>(low, high)(random); };
    const double due_s = failures_ ? between(600, 1800) * (1 << std::min(failures_ - 1, 4L)) : between(43200, 86400);
    return std::max(due_s, static_cast<double>(retry_after_s_));
  }
  // Have an event sent with the next check; fields as in schemas/events.
  void event(const Text& kind, Fields fields) {
    quietly([&] {
      if (is_opted_out()) return false;
      fields.insert(fields.begin(), {{"kind", kind}, {"product", told_.product}});
      if (told_.test) fields.emplace_back("test", true);
      fields.emplace_back("id", told_.new_id());
      waiting_.push_back({told_.clock(), object(fields), true});
      if (waiting_.size() > 1000) waiting_.erase(waiting_.begin());
      return keep_waiting();
    });
  }
  void install(const Text& outcome) {
    event("install", {{"version", told_.version}, {"channel", told_.channel}, {"os", told_.os}, {"outcome", outcome}});
  }
  void feature(const Text& name, long long count = 1) { event("feature_use", {{"feature", name}, {"count", count}}); }
  void recommendation(const Text& slot, const Text& item, Fields counts) {
    counts.insert(counts.begin(), {{"slot", slot}, {"item", item}});
    event("recommendation", std::move(counts));
  }
  // Say goodbye, and delete everything. For an uninstaller.
  void uninstall(const Text& reason = "") {
    quietly([&] {
      if (told_.test) return false;
      const Answer heard = send("HEAD", check_target("", ""));
      const Text weeks = heard.day ? age(counted_, *heard.day) : counted_ ? age(counted_, counted_->day) : "0";
      send("GET", "/v1/uninstall?" + query({{"product", told_.product}, {"v", told_.version}, {"os", told_.os},
                                            {"age", weeks}, {"reason", reason}}));
      return true;
    });
    forget("");
  }
  // Delete everything that is kept here, and send nothing more.
  void opt_out() { forget("opted-out\n"); }
  // Count again, as a new installation.
  void opt_in() { if (is_opted_out()) forget(""); }
  // The last 50 requests exactly as they were sent, each with the status that was answered.
  Text what_was_sent() const {
    const Text shown = read(file("sent"));
    return shown.substr(0, shown.find_last_not_of('\n') + 1);
  }

 private:
  struct Answer {
    long status = 0, retry_after_s = 0;  // status 0: there was none
    std::optional<Day> day;
    Text body, sent;
    bool is_good() const { return status >= 200 && status < 300; }
  };
  struct Waits { Moment happened; Text text; bool in_this_process; };
  Options told_;
  MaybeCounted counted_;
  std::vector<Waits> waiting_;
  long failures_ = 0, retry_after_s_ = 0;
  template <typename Do>
  static auto quietly(Do what) -> decltype(what()) try {
    return what();
  } catch (const std::exception&) {  // a fault of ours is not the player's
    return {};
  }
  std::nullopt_t failed(const Answer& answer) {
    failures_ += 1;
    retry_after_s_ = answer.retry_after_s;
    return std::nullopt;
  }
  // requests
  static Text query(const std::vector<std::pair<Text, Text>>& fields) {
    Text told;
    for (const auto& [name, text] : fields) {
      if (text.empty()) continue;
      const std::unique_ptr<char, decltype(&curl_free)> escaped(curl_easy_escape(nullptr, text.c_str(), 0), curl_free);
      told += (told.empty() ? "" : "&") + name + "=" + (escaped ? escaped.get() : "");
    }
    return told;
  }
  Text check_target(const Text& said, const Text& weeks) const {
    return "/v1/check?" + query({{"product", told_.product}, {"v", told_.version}, {"os", told_.os},
                                 {"arch", told_.arch}, {"ch", told_.channel}, {"first", said}, {"age", weeks},
                                 {"test", told_.test ? "1" : ""}});
  }
  Answer send(const Text& method, const Text& target, const Text* body = nullptr) {
    Answer answer;
    if (is_opted_out()) return answer;
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
    if (!curl) return answer;
    curl_slist* lines = curl_slist_append(nullptr, "Accept: application/json");
    lines = curl_slist_append(lines, "Connection: close");
    if (body) lines = curl_slist_append(lines, "Content-Type: application/json");
    const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> owned(lines, curl_slist_free_all);
    const auto set = [to = curl.get()](CURLoption option, auto value) { curl_easy_setopt(to, option, value); };
    const Text url = told_.endpoint + target, agent = told_.product + "/" + told_.version;
    set(CURLOPT_URL, url.c_str()), set(CURLOPT_USERAGENT, agent.c_str()), set(CURLOPT_HTTPHEADER, lines);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_NOBODY, method == "HEAD" ? 1L : 0L);
    set(CURLOPT_NOSIGNAL, 1L), set(CURLOPT_TIMEOUT_MS, LIMIT_MS);
    if (body) set(CURLOPT_POSTFIELDSIZE, static_cast<long>(body->size())), set(CURLOPT_POSTFIELDS, body->c_str());
    set(CURLOPT_HEADERFUNCTION, read_line), set(CURLOPT_HEADERDATA, &answer);
    set(CURLOPT_WRITEFUNCTION, read_body), set(CURLOPT_WRITEDATA, &answer);
    set(CURLOPT_DEBUGFUNCTION, note_sent), set(CURLOPT_DEBUGDATA, &answer);
    set(CURLOPT_VERBOSE, 1L);  // the debug function takes what would be printed
    if (curl_easy_perform(curl.get()) == CURLE_OK)
      curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.status);
    note(answer);
    return answer;
  }
  static std::size_t read_line(const char* bytes, std::size_t size, std::size_t count, void* into) {
    Answer& answer = *static_cast<Answer*>(into);
    const Text line(bytes, size * count);
    const auto from = line.find_first_not_of(" \t", line.find(':') + 1), to = line.find_last_not_of(" \t\r\n");
    const Text text = from == Text::npos || to < from ? "" : line.substr(from, to - from + 1);
    if (curl_strnequal(line.c_str(), "collector-day:", 14)) answer.day = Day::read(text);
    if (curl_strnequal(line.c_str(), "retry-after:", 12) && text.find_first_not_of("0123456789") == Text::npos)
      answer.retry_after_s = text.empty() ? 0 : text.size() > 5 ? 86400 : std::min(86400L, std::stol(text));
    return size * count;
  }
  static std::size_t read_body(const char* bytes, std::size_t size, std::size_t count, void* into) {
    Text& body = static_cast<Answer*>(into)->body;
    return body.size() + size * count > std::size_t{MOST_BYTES} ? 0 : (body.append(bytes, size * count), size * count);
  }
  static int note_sent(CURL*, curl_infotype type, char* bytes, std::size_t size, void* into) {
    if (type == CURLINFO_HEADER_OUT || type == CURLINFO_DATA_OUT) static_cast<Answer*>(into)->sent.append(bytes, size);
    return 0;
  }
  // events that wait
  static long long age_s(const Waits& event, const Moment& now) {
    const long long ran_s = now.steady_s - event.happened.steady_s;
    if (event.in_this_process) return std::max(0LL, ran_s);
    return std::max(now.wall_s - event.happened.wall_s, ran_s >= 0 ? ran_s : now.steady_s);
  }
  void send_waiting() {
    while (true) {
      const Moment now = told_.clock();
      const auto is_old = [&](const Waits& event) { return age_s(event, now) > 48 * 3600; };
      const auto old = std::remove_if(waiting_.begin(), waiting_.end(), is_old);
      const bool drops = old != waiting_.end();
      waiting_.erase(old, waiting_.end());
      if (drops) keep_waiting();
      if (waiting_.empty()) return;
      const auto count = static_cast<std::ptrdiff_t>(std::min<std::size_t>(100, waiting_.size()));
      Text body;
      for (auto event = waiting_.begin(); event != waiting_.begin() + count; ++event) {
        body += (body.empty() ? "[" : ",") + event->text.substr(0, event->text.size() - 1);
        body += ",\"age_s\":" + std::to_string(age_s(*event, now)) + "}";
      }
      body += "]";
      const long status = send("POST", "/v1/events", &body).status;
      if ((status < 200 || status > 299) && status != 400 && status != 413 && status != 415) return;
      waiting_.erase(waiting_.begin(), waiting_.begin() + count);
      keep_waiting();
    }
  }
  bool keep_waiting() const {
    Text lines;
    for (const auto& [happened, text, _] : waiting_)
      lines += std::to_string(happened.wall_s) + " " + std::to_string(happened.steady_s) + " " + text + "\n";
    return write(file("waiting"), lines);
  }
  // files
  std::filesystem::path file(const char* name) const { return told_.state_folder / (Text(name) + ".txt"); }
  static Text read(const std::filesystem::path& path) {
    std::ifstream from(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(from), {}};
  }
  static bool write(const std::filesystem::path& path, const Text& text) {  // whoever is interrupted leaves the old one
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    const std::filesystem::path fresh = std::filesystem::path(path).replace_extension(".new");
    if (std::ofstream to(fresh, std::ios::binary | std::ios::trunc); !(to << text << std::flush)) return false;
    std::filesystem::rename(fresh, path, error);
    return !error;
  }
  bool is_opted_out() const { return read(file("counted")) == "opted-out\n"; }
  bool can_keep() const { return !is_opted_out() && write(file("counted"), state_text()); }
  Text state_text() const {
    if (!counted_) return "";
    return "day " + counted_->day.text() + "\nweek " + counted_->week.text() + "\nmonth " + counted_->month.text() +
           "\ninstalled " + counted_->installed.text() + "\n";
  }
  void read_state() {
    std::istringstream words(read(file("counted")));
    std::vector<Text> all{std::istream_iterator<Text>(words), {}};
    if (all.size() == 8 && all[0] == "day" && all[2] == "week" && all[4] == "month" && all[6] == "installed") {
      const auto day = Day::read(all[1]), week = Day::read(all[3]), month = Day::read(all[5]), in = Day::read(all[7]);
      if (day && week && month && in) counted_ = Counted{*day, *week, *month, *in};
    }
    std::istringstream lines(read(file("waiting")));
    for (Waits event{{}, "", false}; lines >> event.happened.wall_s >> event.happened.steady_s;)
      if (std::getline(lines >> std::ws, event.text) && event.text.back() == '}') waiting_.push_back(event);
  }
  void forget(const Text& word) {
    std::error_code ignored;
    counted_.reset(), waiting_.clear();
    for (const char* name : {"waiting", "sent"}) std::filesystem::remove(file(name), ignored);
    word.empty() ? std::filesystem::remove(file("counted"), ignored) : write(file("counted"), word);
  }
  void note(const Answer& answer) const {
    if (is_opted_out()) return;
    Text shown = answer.sent, all = read(file("sent"));
    shown.erase(std::remove(shown.begin(), shown.end(), '\r'), shown.end());
    if (const auto blank = shown.find("\n\n"); blank != Text::npos) shown.erase(blank, 1);
    if (!shown.empty() && shown.back() != '\n') shown += "\n";
    std::size_t oldest = all.size();
    for (int kept = 1; kept < 50 && oldest != Text::npos; ++kept)
      oldest = oldest ? all.rfind("\n\n", oldest - 1) : Text::npos;
    if (oldest != Text::npos && !all.empty()) all.erase(0, oldest + 2);
    all += (all.empty() ? "" : "\n") + shown + "-> " + (answer.status ? std::to_string(answer.status) : "no answer");
    write(file("sent"), all + "\n");
  }
  // JSON: what is sent, and the little that is read
  static Text quoted(const Text& text) {
    Text told = "\"";
    for (const char each : text) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(each)));
      if (each == '"' || each == '\\') told += '\\';
      told += static_cast<unsigned char>(each) < 32 ? Text(escaped) : Text(1, each);
    }
    return told + "\"";
  }
  static Text object(const Fields& fields) {
    Text told;
    for (const auto& [name, value] : fields) {
      told += (told.empty() ? "{" : ",") + quoted(name) + ":";
      if (const auto* text = std::get_if<Text>(&value)) told += quoted(*text);
      else if (const auto* number = std::get_if<long long>(&value)) told += std::to_string(*number);
      else told += std::get<bool>(value) ? "true" : "false";
    }
    return told + "}";
  }
  // The first string of that name; of the collector's own answers, which begin with these, not of any JSON.
  static Text member(const Text& json, const char* name) {
    std::smatch found;
    const std::regex of("\"" + Text(name) + R"~("\s*:\s*"([^"\\]*)")~");
    return std::regex_search(json, found, of) ? found[1].str() : "";
  }
  static std::optional<Release> release(const Text& json) {
    const Release found{member(json, "version"), member(json, "url"), json};
    return found.version.empty() || found.url.empty() ? std::nullopt : std::optional(found);
  }
};

}  // namespace collector
