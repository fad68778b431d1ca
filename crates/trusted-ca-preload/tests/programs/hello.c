/* Says something, and ends with a status of its own. */
#include <stdio.h>

int main(void)
{
    puts("hello");
    return 7;
}
