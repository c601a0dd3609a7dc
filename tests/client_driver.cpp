// Does what a vector says with the C++ client: one command a line, words between tabs. Started by
// tests/client_vectors.py with the endpoint, the state folder and whether it is a test.
#include <iostream>

#include "collector_client.hpp"

int main(int, char** argv) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  collector::Moment now;
  int made = 0;
  collector::Options options{argv[1], "player", "1.4.2", "stable", "windows", "x86_64", argv[2]};
  options.test = std::string(argv[3]) == "test";
  options.clock = [&] { return now; };
  options.new_id = [&] {
    char id[37];
    std::snprintf(id, sizeof id, "00000000-0000-4000-8000-%012d", ++made);
    return std::string(id);
  };
  auto client = std::make_unique<collector::Client>(options);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream parts(line);
    std::vector<std::string> words;
    for (std::string word; std::getline(parts, word, '\t');) words.push_back(word);
    words.resize(8);
    if (words[0] == "clock") now = {std::stoll(words[1]), std::stoll(words[2])};
    if (words[0] == "check") {
      const auto release = client->check();
      std::cout << (release ? release->version + " " + release->url : "none");
    }
    if (words[0] == "next") std::cout << client->next_check_after();
    if (words[0] == "feature") client->feature(words[1], std::stoll(words[2]));
    if (words[0] == "install") client->install(words[1]);
    if (words[0] == "recommendation") client->recommendation(words[1], words[2], {{"shown", std::stoll(words[3])}});
    if (words[0] == "uninstall") client->uninstall(words[1]);
    if (words[0] == "opt_out") client->opt_out();
    if (words[0] == "opt_in") client->opt_in();
    if (words[0] == "sent") std::cout << client->what_was_sent();
    if (words[0] == "restart") client = std::make_unique<collector::Client>(options);
    std::cout << std::endl << "." << std::endl;
  }
}
