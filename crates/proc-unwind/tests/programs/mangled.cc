// A function whose symbol has to be read backwards.
#include <cstdlib>

namespace house {
struct Room {
    void *volatile kept = nullptr;
    __attribute__((noinline)) int grow(int bytes) {
        kept = std::malloc(bytes);
        return kept == nullptr;
    }
};
} // namespace house

int main() {
    house::Room room;
    return room.grow(3000000);
}
