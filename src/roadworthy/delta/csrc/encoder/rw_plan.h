/* The plan of a patch: instruction set, load addresses and covers. Encoder only. */
#ifndef RW_PLAN_H
#define RW_PLAN_H

#include "rw_analyse.h"
#include "rw_encode.h"
#include "rw_seals.h"

typedef struct {
    const rw_encode_job *job; /* its target is what the walk takes */
    const rw_seals *seals;    /* that the whole target has in its place */
    rw_cover *covers;
    uint32_t cover_count;
    rw_header header;
    uint8_t other_arch;   /* the next best, or the same */
    rw_engine parameters; /* load addresses */
    uint32_t done;        /* thousandths of the work */
    int is_plain;         /* a shift costs the same wherever it leads, equal runs are no covers */
    int stopped;          /* rw_report said so while the images were looked at */
} rw_plan;

/* Matches the images as they are, learns from that what code they hold, and matches again. */
int rw_plan_pair(rw_plan *plan);
enum { RW_PASS_FIRST, RW_PASS_SECOND };
/* The covers of a pass: the first one takes the images as they are; the second one masks operands,
 * where there is an instruction set, and knows the covers of the first. */
int rw_plan_covers(rw_plan *plan, int pass);
/* Whether the first pass, for want of memory, indexes some places of the base only. */
int rw_plan_is_sparse(const rw_encode_job *job);
/* Whether rw_plan_pair keeps to job->memory. */
int rw_plan_fits(const rw_encode_job *job);
/* The same for images of any size in bounded memory: equal blocks are matched first, and only
 * what they leave goes through rw_plan_pair, part by part. */
int rw_plan_large(rw_plan *plan);

/* Covers of equal blocks: fills *covers (malloc, for the caller to free in any case). */
int rw_match_blocks(const rw_encode_job *job, rw_cover **covers, uint32_t *count);

/* Keeps the longest `most` covers. */
void rw_limit_covers(rw_plan *plan, uint32_t most);
/* In place: leaves out what the target has overwritten by then. */
int rw_cut_covers(rw_plan *plan);
/* Gives runs that are equal to the base, if they are long, covers of their own. */
int rw_split_covers(rw_plan *plan);
/* Adds bytes from..to of a cover to a list, to its last one if they go on from there. */
uint32_t rw_append_cover(rw_cover *list, uint32_t count, const rw_cover *cover, uint32_t from,
                         uint32_t to);

/* The steps to begin with: those that the job asks for, or the shortest that are fit for it. */
uint8_t rw_step_bits(const rw_encode_job *job);
/* The shortest steps, of those that are not asked for, whose hashes are a small part of a patch:
 * it has the header and `length` bytes with the steps that the header tells. */
uint8_t rw_wider_step_bits(const rw_encode_job *job, const rw_header *header, uint32_t length);

/* Work on no more bytes than this is done between two reports. */
#define REPORT_BYTES (1u << 21)
/* Tells that `permille` of the work is done; RW_OK to go on. */
int rw_report(const rw_encode_job *job, uint32_t permille);

#endif
