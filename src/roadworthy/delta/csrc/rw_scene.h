/* What is known about the next byte, and its decisions, with the mixing back end. */
#ifndef RW_SCENE_H
#define RW_SCENE_H

#include "rw_engine.h"
#include "rw_flow.h"

/* What the contexts of one byte are made from. */
typedef struct {
    int covered;
    uint32_t base;      /* offset of the byte in the base */
    uint32_t predicted; /* 0..255, or 256 when nothing predicts it */
    uint32_t word;      /* the four base bytes of its aligned word */
    uint32_t around;    /* base bytes -1, +1, +2 */
    uint32_t old;       /* the base byte; differs from predicted in a reference that moved */
    uint32_t other;     /* the byte that is predicted where references are not trusted */
    uint32_t kind;      /* of reference, 0 for none */
    uint32_t lane;      /* place within a word, or which byte of which halfword of an instruction */
    uint32_t start;     /* distance from the start of its cover */
    uint32_t expected;  /* byte after the last occurrence of the latest bytes, or 256 */
    uint32_t confidence;
    uint32_t pool; /* bytes left of the literal pool that it is in, 0 outside of one */
    rw_guess guess[RW_GUESSES];
} rw_scene;

/* Nothing is known yet. */
void rw_scene_begin(rw_scene *scene);
/* What a reference, its quality and the place in it are to contexts. */
static inline uint32_t rw_scene_tag(const rw_scene *scene)
{
    return scene->kind << 3 | (uint32_t)(scene->other != scene->predicted) << 2 | scene->lane;
}

/* Codes whether a byte, or the group that it begins, is as predicted. */
int rw_flag_code(rw_view *view, const rw_scene *scene, int group, int hit);
/* Codes a byte that is not as predicted. */
uint8_t rw_byte_code(rw_view *view, const rw_scene *scene, uint8_t byte);

#endif
