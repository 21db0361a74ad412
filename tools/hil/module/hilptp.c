// SPDX-License-Identifier: GPL-2.0
/*
 * hilptp - pairs of Ethernet ports with PTP hardware clocks, joined by exact wires.
 *
 * A test rig for PTP software. Everything user space sees is the real thing: the PTP
 * character devices, the POSIX dynamic clocks, SIOCSHWTSTAMP, SO_TIMESTAMPING and the
 * socket error queue are the kernel's own. Only the "hardware" below them is a model:
 *
 *  - A PHC is a linear function of CLOCK_MONOTONIC_RAW with its own (hidden, settable)
 *    oscillator error, plus whatever adjfine/adjtime/settime asked for.
 *  - One-step: what a socket marks for a time stamp and does not flag as two-step is
 *    completed in the frame that arrives, checksum and all; no stamp is reported for it.
 *  - A wire has a delay for each direction. The receive time stamp is COMPUTED as the
 *    far PHC's reading at (transmit instant + delay + jitter), so scheduling noise of
 *    the (possibly emulated) machine does not enter the time stamps at all.
 *  - A reference time scale ("ref", TAI at load, then MONOTONIC_RAW rate) stands for
 *    GNSS: its 1PPS can be wired to the external time stamp inputs, again with computed
 *    time stamps. Periodic outputs log when each edge happened on the ref time scale.
 *  - debugfs hilptp/snapshot reads every clock at one instant: the true errors.
 */
#include <linux/module.h>
#include <linux/debugfs.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/net_tstamp.h>
#include <linux/netdevice.h>
#include <linux/ptp_classify.h>
#include <linux/ptp_clock_kernel.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include <linux/unaligned.h>
#include <net/checksum.h>

#define MAXN	16
#define N_EXT	2
#define N_PER	2
#define N_PIN	4
#define EDGES	64
#define PULSE	(100 * NSEC_PER_MSEC)	/* from the rising to the falling edge of the reference PPS */

static int ports = 2;
module_param(ports, int, 0444);
MODULE_PARM_DESC(ports, "number of ports, even; port i is wired to port i^1");
static int phc_of[MAXN];
static int n_phc_of;
module_param_array(phc_of, int, &n_phc_of, 0444);
MODULE_PARM_DESC(phc_of, "PHC index of each port (default: one each)");
static int max_adj = 62499999;
module_param(max_adj, int, 0444);
static int speed = 1000;
module_param(speed, int, 0444);
static int only_event;
module_param(only_event, int, 0444);
MODULE_PARM_DESC(only_event, "1: no HWTSTAMP_FILTER_ALL, only the PTPv2 event filters");
static int no_onestep;
module_param(no_onestep, int, 0444);
MODULE_PARM_DESC(no_onestep, "1: no one-step transmit types");
static int no_extended;
module_param(no_extended, int, 0444);
MODULE_PARM_DESC(no_extended, "1: no cross time stamp, no adjphase, no pins: a plain PHC");

struct hphc;
struct chan {			/* a periodic output, or (index N_PER) the PPS device */
	struct hphc *c;
	struct hrtimer t;
	int i;
	bool on;
	s64 start, period, next;	/* PHC ns */
	u32 n;
	s64 e_phc[EDGES], e_ref[EDGES];
};

struct hphc {
	int i;
	spinlock_t lock;
	u64 raw0;		/* reading at raw0 is ns0 + fr0/2^32 */
	s64 ns0;
	u32 fr0;
	s64 osc;		/* oscillator error, 2^-44 */
	s64 adj;		/* asked for by adjfine, 2^-44 */
	struct ptp_clock_info info;
	struct ptp_pin_desc pins[N_PIN];
	struct ptp_clock *ptp;
	struct chan ch[N_PER + 1];
	struct hrtimer ext_t;
	bool ext_on[N_EXT];
	u64 ext_next;		/* ref ns of the next reference second */
	struct delayed_work work;
	/* debugfs knobs */
	s64 osc_ppt;		/* 1e-12 */
	u64 wander_ppt;		/* random walk step per second */
	u64 ts_res, ts_noise;	/* ns */
	s64 pps_offset;		/* ns, of the wired-in reference PPS */
	u64 pps_noise;
	u32 pps_mask;		/* which EXTTS inputs the reference PPS drives */
	u32 fail;		/* bit 0 gettime, 1 settime, 2 adjfine, 3 adjtime, 4 cross: -EIO */
	u32 read_delay;		/* ns spent either side of a clock read */
	u32 read_jitter;	/* up to so much more, of either side by itself */
	u64 read_noise;		/* ns, of the reading */
	u32 loose_edges;	/* no STRICT_FLAGS; falling edges are reported too */
	bool falling;		/* the next edge of the reference PPS is a falling one */
	u64 n_adjfine, n_adjtime, n_settime, n_gettime, n_adjphase;
};

struct hport {
	int i;
	struct net_device *dev, *peer;
	struct hphc *c;
	struct kernel_hwtstamp_config cfg;
	spinlock_t txlock;
	struct sk_buff_head late;
	struct delayed_work late_work;
	struct sk_buff *held;	/* its stamp waits for the next one to go first */
	u8 asked[12];		/* the newest Pdelay_Req: who, which */
	s64 asked_at;		/* and its receive time stamp */
	/* debugfs knobs; delay/jitter are of the direction this port transmits on */
	u64 delay, jitter;
	s64 tx_lat, rx_lat;
	u32 drop_txts, drop_rxts, txts_delay_us, swap_txts, loss_pm;
	u64 n_txts, n_rxts;
};

static struct hphc *phcs[MAXN];
static struct hport *hports[MAXN];
static int n_phc;
static s64 ref_off;		/* ref = raw + ref_off */
static DEFINE_MUTEX(presence);	/* of the PHCs: see present_set() */
static struct dentry *dir;

/* ---- the clock model ---------------------------------------------------- */

static s64 rnd(u64 span)	/* about gaussian, standard deviation span */
{
	s64 s = 0;
	int k;

	if (!span)
		return 0;
	for (k = 0; k < 12; k++)
		s += (s64)get_random_u32_below(1 << 20) - (1 << 19);
	return div_s64(s * (s64)min_t(u64, span, 1 << 30), 1 << 20);
}

static void corr(s64 el, s64 rate, s64 *ns, u32 *fr)	/* el * rate, as ns + 2^-32 ns */
{
	bool neg = (el < 0) ^ (rate < 0);
	u64 m = mul_u64_u64_shr(abs(el), abs(rate), 12);

	if (neg)
		m = -m;
	*ns = (s64)m >> 32;
	*fr = (u32)m;
}

static s64 at(struct hphc *c, u64 raw, u32 *frac)	/* lock held: reading at raw */
{
	s64 el = raw - c->raw0, n;
	u32 f;
	u64 fs;

	corr(el, c->osc + c->adj, &n, &f);
	fs = (u64)f + c->fr0;
	if (frac)
		*frac = (u32)fs;
	return c->ns0 + el + n + (s64)(fs >> 32);
}

static void fold(struct hphc *c, u64 raw)
{
	u32 f;
	s64 n = at(c, raw, &f);

	c->raw0 = raw;
	c->ns0 = n;
	c->fr0 = f;
}

static u64 when(struct hphc *c, s64 ns)		/* lock held: the raw time of a reading */
{
	u64 raw = c->raw0;
	int k;

	for (k = 0; k < 4; k++)
		raw += ns - at(c, raw, NULL);
	return raw;
}

static s64 reading(struct hphc *c, u64 raw)
{
	unsigned long fl;
	s64 v;

	spin_lock_irqsave(&c->lock, fl);
	v = at(c, raw, NULL);
	spin_unlock_irqrestore(&c->lock, fl);
	return v;
}

static s64 stamp(struct hphc *c, u64 raw)	/* a hardware time stamp */
{
	s64 v = reading(c, raw) + rnd(c->ts_noise);

	if (c->ts_res > 1)
		v -= v % (s64)c->ts_res;
	return v;
}

static s64 ref_now(void) { return (s64)ktime_get_raw_ns() + ref_off; }

static s64 ppt44(s64 ppt)	/* 1e-12 -> 2^-44 */
{
	return (ppt < 0 ? -1 : 1) * (s64)mul_u64_u64_div_u64(abs(ppt), 1ULL << 44, 1000000000000ULL);
}

/* ---- edges out, edges in ------------------------------------------------ */

static void chan_arm(struct chan *h)		/* lock held */
{
	struct hphc *c = h->c;
	u64 raw = ktime_get_raw_ns();
	s64 now = at(c, raw, NULL), d;

	if (h->next <= now || h->next > now + 2 * h->period)
		h->next = h->start > now ? h->start :
			  h->start + (div64_s64(now - h->start, h->period) + 1) * h->period;
	d = when(c, h->next) - raw;
	hrtimer_start(&h->t, ns_to_ktime(clamp_t(s64, d, 1000, NSEC_PER_SEC)), HRTIMER_MODE_REL);
}

static enum hrtimer_restart chan_fire(struct hrtimer *t)
{
	struct chan *h = container_of(t, struct chan, t);
	struct hphc *c = h->c;
	struct ptp_clock_event ev = { .type = PTP_CLOCK_PPS };
	bool pps = false;
	unsigned long fl;

	spin_lock_irqsave(&c->lock, fl);
	if (h->on) {
		u64 raw = ktime_get_raw_ns();

		if (at(c, raw, NULL) >= h->next) {
			h->e_phc[h->n % EDGES] = h->next;
			h->e_ref[h->n % EDGES] = (s64)when(c, h->next) + ref_off;
			h->n++;
			pps = h->i == N_PER;
		}
		chan_arm(h);
	}
	spin_unlock_irqrestore(&c->lock, fl);
	if (pps)
		ptp_clock_event(c->ptp, &ev);
	return HRTIMER_NORESTART;
}

static void chans_rearm(struct hphc *c)		/* lock held: the clock was stepped */
{
	int k;

	for (k = 0; k <= N_PER; k++)
		if (c->ch[k].on)
			chan_arm(&c->ch[k]);
}

static enum hrtimer_restart ext_fire(struct hrtimer *t)
{
	struct hphc *c = container_of(t, struct hphc, ext_t);
	s64 now = ref_now(), edge;
	int k;

	if (now >= (s64)c->ext_next + (c->falling ? PULSE : 0)) {
		edge = c->ext_next + c->pps_offset + rnd(c->pps_noise);
		if (c->falling)
			edge += PULSE;
		for (k = 0; k < N_EXT; k++)
			if (c->ext_on[k] && (c->pps_mask & BIT(k))) {
				struct ptp_clock_event ev = { .type = PTP_CLOCK_EXTTS, .index = k };

				ev.timestamp = stamp(c, edge - ref_off);
				ptp_clock_event(c->ptp, &ev);
			}
		c->falling = c->loose_edges && !c->falling;
		if (!c->falling)
			c->ext_next = (div_u64(now, NSEC_PER_SEC) + 1) * NSEC_PER_SEC;
	}
	edge = c->ext_next + (c->falling ? PULSE : 0);
	hrtimer_forward_now(t, ns_to_ktime(max_t(s64, 1000, edge - ref_now())));
	return HRTIMER_RESTART;
}

static void wander(struct work_struct *w)
{
	struct hphc *c = container_of(w, struct hphc, work.work);

	spin_lock_irq(&c->lock);
	fold(c, ktime_get_raw_ns());
	c->osc_ppt += rnd(c->wander_ppt);
	c->osc = ppt44(c->osc_ppt);
	spin_unlock_irq(&c->lock);
	schedule_delayed_work(&c->work, HZ);
}

/* ---- ptp_clock_info ----------------------------------------------------- */

#define C(p) container_of(p, struct hphc, info)

static int h_adjfine(struct ptp_clock_info *p, long scaled_ppm)
{
	struct hphc *c = C(p);
	u64 m = mul_u64_u64_div_u64(abs(scaled_ppm), 1ULL << 28, 1000000);

	if (c->fail & BIT(2))
		return -EIO;
	spin_lock_irq(&c->lock);
	fold(c, ktime_get_raw_ns());
	c->adj = scaled_ppm < 0 ? -(s64)m : (s64)m;
	c->n_adjfine++;
	spin_unlock_irq(&c->lock);
	return 0;
}

static int h_adjtime(struct ptp_clock_info *p, s64 d)
{
	struct hphc *c = C(p);

	if (c->fail & BIT(3))
		return -EIO;
	spin_lock_irq(&c->lock);
	fold(c, ktime_get_raw_ns());
	c->ns0 += d;
	c->n_adjtime++;
	chans_rearm(c);
	spin_unlock_irq(&c->lock);
	return 0;
}

static int h_adjphase(struct ptp_clock_info *p, s32 d)
{
	C(p)->n_adjphase++;
	return h_adjtime(p, d);
}
static s32 h_maxphase(struct ptp_clock_info *p) { return 1000000; }

static u32 bus_ns(struct hphc *c)	/* the way to the register or back */
{
	u32 ns = c->read_delay + (c->read_jitter ? get_random_u32_below(c->read_jitter) : 0);

	return min(ns, 100000u);
}

static int h_gettimex(struct ptp_clock_info *p, struct timespec64 *ts,
		      struct ptp_system_timestamp *sts)
{
	struct hphc *c = C(p);
	/* drawn beforehand: that takes time, and on one side only */
	u32 there = bus_ns(c), back = bus_ns(c);
	s64 noise = rnd(c->read_noise);
	unsigned long fl;

	if (c->fail & BIT(0))
		return -EIO;
	spin_lock_irqsave(&c->lock, fl);
	c->n_gettime++;
	ptp_read_system_prets(sts);
	if (there)
		ndelay(there);
	*ts = ns_to_timespec64(at(c, ktime_get_raw_ns(), NULL) + noise);
	if (back)
		ndelay(back);
	ptp_read_system_postts(sts);
	spin_unlock_irqrestore(&c->lock, fl);
	return 0;
}

static int h_settime(struct ptp_clock_info *p, const struct timespec64 *ts)
{
	struct hphc *c = C(p);

	if (c->fail & BIT(1))
		return -EIO;
	spin_lock_irq(&c->lock);
	fold(c, ktime_get_raw_ns());
	c->ns0 = timespec64_to_ns(ts);
	c->fr0 = 0;
	c->n_settime++;
	chans_rearm(c);
	spin_unlock_irq(&c->lock);
	return 0;
}

static int h_cross(struct ptp_clock_info *p, struct system_device_crosststamp *x)
{
	struct hphc *c = C(p);
	struct system_time_snapshot s;

	if (c->fail & BIT(4))
		return -EIO;
	ktime_get_snapshot(&s);
	x->sys_realtime = s.real;
	x->sys_monoraw = s.raw;
	x->device = ns_to_ktime(reading(c, ktime_to_ns(s.raw)));
	return 0;
}

static void chan_on(struct chan *h, s64 start, s64 period)
{
	unsigned long fl;

	hrtimer_cancel(&h->t);
	spin_lock_irqsave(&h->c->lock, fl);
	h->on = period > 0;
	h->start = start;
	h->period = period;
	h->next = 0;
	h->n = 0;
	if (h->on)
		chan_arm(h);
	spin_unlock_irqrestore(&h->c->lock, fl);
}

static int h_enable(struct ptp_clock_info *p, struct ptp_clock_request *r, int on)
{
	struct hphc *c = C(p);
	s64 start, period;
	bool any = false;
	int k;

	switch (r->type) {
	case PTP_CLK_REQ_EXTTS:
		if (r->extts.index >= p->n_ext_ts)
			return -EINVAL;
		if (r->extts.flags & ~(PTP_ENABLE_FEATURE | PTP_RISING_EDGE | PTP_STRICT_FLAGS))
			return -EOPNOTSUPP;
		if (on && c->loose_edges && (r->extts.flags & PTP_STRICT_FLAGS))
			return -EOPNOTSUPP;
		if (on && p->n_pins && ptp_find_pin(c->ptp, PTP_PF_EXTTS, r->extts.index) < 0)
			return -EBUSY;
		hrtimer_cancel(&c->ext_t);
		c->ext_on[r->extts.index] = on;
		for (k = 0; k < N_EXT; k++)
			any |= c->ext_on[k];
		c->falling = false;
		if (any) {
			c->ext_next = (div_u64(ref_now(), NSEC_PER_SEC) + 1) * NSEC_PER_SEC;
			hrtimer_start(&c->ext_t, ns_to_ktime(c->ext_next - ref_now()),
				      HRTIMER_MODE_REL);
		}
		return 0;
	case PTP_CLK_REQ_PEROUT:
		if (r->perout.index >= p->n_per_out)
			return -EINVAL;
		if (r->perout.flags & ~PTP_PEROUT_PHASE)
			return -EOPNOTSUPP;
		if (p->n_pins && on && ptp_find_pin(c->ptp, PTP_PF_PEROUT, r->perout.index) < 0)
			return -EBUSY;
		period = r->perout.period.sec * NSEC_PER_SEC + r->perout.period.nsec;
		if (on && period < 100000)
			return -ERANGE;
		start = r->perout.flags & PTP_PEROUT_PHASE ?
			r->perout.phase.sec * NSEC_PER_SEC + r->perout.phase.nsec :
			r->perout.start.sec * NSEC_PER_SEC + r->perout.start.nsec;
		chan_on(&c->ch[r->perout.index], start, on ? period : 0);
		return 0;
	case PTP_CLK_REQ_PPS:
		chan_on(&c->ch[N_PER], 0, on ? NSEC_PER_SEC : 0);
		return 0;
	}
	return -EOPNOTSUPP;
}

static int h_verify(struct ptp_clock_info *p, unsigned int pin,
		    enum ptp_pin_function func, unsigned int chan)
{
	if (func == PTP_PF_PHYSYNC)
		return -1;
	return 0;
}

/* ---- network device ----------------------------------------------------- */

static bool wants(struct hport *p, struct sk_buff *skb)	/* does this filter stamp it? */
{
	unsigned int type;
	struct ptp_header *h;

	switch (p->cfg.rx_filter) {
	case HWTSTAMP_FILTER_NONE:
		return false;
	case HWTSTAMP_FILTER_ALL:
		return true;
	default:
		type = ptp_classify_raw(skb);
		if ((type & PTP_CLASS_VMASK) != PTP_CLASS_V2)
			return false;
		if (p->cfg.rx_filter == HWTSTAMP_FILTER_PTP_V2_L2_EVENT &&
		    (type & PTP_CLASS_PMASK) != PTP_CLASS_L2)
			return false;
		if (p->cfg.rx_filter == HWTSTAMP_FILTER_PTP_V2_L4_EVENT &&
		    (type & PTP_CLASS_PMASK) == PTP_CLASS_L2)
			return false;
		h = ptp_parse_header(skb, type);
		return h && ptp_get_msgtype(h, type) < 4;
	}
}

/* ---- one-step ------------------------------------------------------------ */

/* What tx_type lets the NIC complete, else NULL. skb: from the MAC header on, linear. */
static u8 *onestep(struct hport *p, struct sk_buff *skb, unsigned int *class)
{
	struct ptp_header *h;
	u8 type;

	if (p->cfg.tx_type != HWTSTAMP_TX_ONESTEP_SYNC && p->cfg.tx_type != HWTSTAMP_TX_ONESTEP_P2P)
		return NULL;
	*class = ptp_classify_raw(skb);
	if ((*class & PTP_CLASS_VMASK) != PTP_CLASS_V2)
		return NULL;
	h = ptp_parse_header(skb, *class);
	if (!h || (h->flag_field[0] & 2))
		return NULL;
	type = ptp_get_msgtype(h, *class);
	if (type == PTP_MSGTYPE_SYNC ||
	    (type == PTP_MSGTYPE_PDELAY_RESP && p->cfg.tx_type == HWTSTAMP_TX_ONESTEP_P2P))
		return (u8 *)h;
	return NULL;
}

/* egress: the stamp. m: the message in skb */
static void put_time(struct hport *p, struct sk_buff *skb, u8 *m, unsigned int class, s64 egress)
{
	const int len = 54;	/* nothing beyond is changed */
	int have = min_t(int, len, skb_tail_pointer(skb) - m), size = have & ~1;
	__wsum before = csum_partial(m, size, 0), after;
	__sum16 *sum;

	if ((m[0] & 15) == PTP_MSGTYPE_SYNC) {
		u32 ns;
		u64 s = div_u64_rem(egress, NSEC_PER_SEC, &ns);

		put_unaligned_be16(s >> 32, m + 34);
		put_unaligned_be32((u32)s, m + 36);
		put_unaligned_be32(ns, m + 40);
	} else if (have == len && !memcmp(m + 44, p->asked, 10) && !memcmp(m + 30, p->asked + 10, 2)) {
		u64 c = get_unaligned_be64(m + 8);

		put_unaligned_be64(c + ((u64)(egress - p->asked_at) << 16), m + 8);
	}
	after = csum_partial(m, size, 0);
	if ((class & PTP_CLASS_PMASK) == PTP_CLASS_L2)
		return;
	sum = (__sum16 *)(m - 2);	/* the last field of the UDP header */
	if (*sum || (class & PTP_CLASS_PMASK) == PTP_CLASS_IPV6) {
		*sum = csum_fold(csum_add(csum_sub(~csum_unfold(*sum), before), after));
		if (!*sum)
			*sum = CSUM_MANGLED_0;
	}
}

static void remember_request(struct hport *q, struct sk_buff *skb, s64 ingress)
{
	unsigned int class = ptp_classify_raw(skb);
	struct ptp_header *h;

	if ((class & PTP_CLASS_VMASK) != PTP_CLASS_V2)
		return;
	h = ptp_parse_header(skb, class);
	if (h && ptp_get_msgtype(h, class) == PTP_MSGTYPE_PDELAY_REQ) {
		memcpy(q->asked, (u8 *)h + 20, 12);
		q->asked_at = ingress;
	}
}

static void late_txts(struct work_struct *w)
{
	struct hport *p = container_of(w, struct hport, late_work.work);
	struct sk_buff *s;

	while ((s = skb_dequeue(&p->late))) {
		struct skb_shared_hwtstamps hw;

		memcpy(&hw, s->cb, sizeof(hw));
		skb_complete_tx_timestamp(s, &hw);
	}
}

static netdev_tx_t h_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct hport *p = netdev_priv(dev), *q = netdev_priv(p->peer);
	struct skb_shared_hwtstamps hw = {};
	struct sk_buff *n, *ts = NULL;
	unsigned int class = 0;
	u8 *message = NULL;
	bool marked, itself = false;
	u64 raw;
	s64 wire;

	if (eth_skb_pad(skb))
		return NETDEV_TX_OK;
	marked = unlikely(skb_shinfo(skb)->tx_flags & SKBTX_HW_TSTAMP) && p->cfg.tx_type != HWTSTAMP_TX_OFF;
	if (marked) {
		skb_reset_mac_header(skb);	/* for ptp_parse_header() */
		itself = !skb_linearize(skb) && onestep(p, skb, &class);
	}
	if (marked && !itself) {
		ts = skb_clone_sk(skb);
		skb_shinfo(skb)->tx_flags |= SKBTX_IN_PROGRESS;
	}
	n = netif_running(p->peer) && (!p->loss_pm || get_random_u32_below(1000) >= p->loss_pm) ?
		netdev_alloc_skb_ip_align(p->peer, skb->len) : NULL;
	if (n) {
		skb_copy_bits(skb, 0, skb_put(n, skb->len), skb->len);
		skb_reset_mac_header(n);	/* for ptp_parse_header() */
		if (itself)
			message = onestep(p, n, &class);
	}
	skb_tx_timestamp(skb);
	raw = ktime_get_raw_ns();			/* the instant on the wire */
	if (message)
		put_time(p, n, message, class, stamp(p->c, raw) - p->tx_lat);
	dev_sw_netstats_tx_add(dev, 1, skb->len);
	if (ts) {
		if (p->drop_txts) {
			p->drop_txts--;
			dev_kfree_skb_any(ts);
		} else {
			p->n_txts++;
			hw.hwtstamp = ns_to_ktime(stamp(p->c, raw) - p->tx_lat);
			if (p->swap_txts && !p->held) {
				memcpy(ts->cb, &hw, sizeof(hw));
				p->held = ts;
			} else if (p->held) {
				skb_complete_tx_timestamp(ts, &hw);
				memcpy(&hw, p->held->cb, sizeof(hw));
				skb_complete_tx_timestamp(p->held, &hw);
				p->held = NULL;
				if (p->swap_txts)
					p->swap_txts--;
			} else if (p->txts_delay_us) {
				memcpy(ts->cb, &hw, sizeof(hw));
				skb_queue_tail(&p->late, ts);
				schedule_delayed_work(&p->late_work,
						      usecs_to_jiffies(p->txts_delay_us));
			} else {
				skb_complete_tx_timestamp(ts, &hw);
			}
		}
	}
	if (n) {
		wire = p->delay + abs(rnd(p->jitter));
		if (wants(q, n)) {
			if (q->drop_rxts) {
				q->drop_rxts--;
			} else {
				s64 ingress = stamp(q->c, raw + wire) + q->rx_lat;

				skb_hwtstamps(n)->hwtstamp = ns_to_ktime(ingress);
				remember_request(q, n, ingress);
				q->n_rxts++;
			}
		}
		n->protocol = eth_type_trans(n, p->peer);
		dev_sw_netstats_rx_add(p->peer, skb->len);
		netif_rx(n);
	}
	dev_consume_skb_any(skb);
	return NETDEV_TX_OK;
}

static void link_update(struct hport *p)
{
	bool up = netif_running(p->dev) && p->peer && netif_running(p->peer);

	if (up) {
		netif_carrier_on(p->dev);
		netif_carrier_on(p->peer);
	} else {
		netif_carrier_off(p->dev);
		if (p->peer)
			netif_carrier_off(p->peer);
	}
}

static int h_open(struct net_device *dev)
{
	netif_start_queue(dev);
	link_update(netdev_priv(dev));
	return 0;
}

static int h_stop(struct net_device *dev)
{
	struct hport *p = netdev_priv(dev);

	netif_stop_queue(dev);
	netif_carrier_off(dev);
	if (p->peer)
		netif_carrier_off(p->peer);
	return 0;
}

static int h_hwts_get(struct net_device *dev, struct kernel_hwtstamp_config *cfg)
{
	struct hport *p = netdev_priv(dev);

	*cfg = p->cfg;
	return 0;
}

static int h_hwts_set(struct net_device *dev, struct kernel_hwtstamp_config *cfg,
		      struct netlink_ext_ack *ack)
{
	struct hport *p = netdev_priv(dev);

	if (cfg->tx_type != HWTSTAMP_TX_OFF && cfg->tx_type != HWTSTAMP_TX_ON &&
	    (no_onestep || cfg->tx_type > HWTSTAMP_TX_ONESTEP_P2P))
		return -ERANGE;
	switch (cfg->rx_filter) {
	case HWTSTAMP_FILTER_NONE:
		break;
	case HWTSTAMP_FILTER_PTP_V2_EVENT:
	case HWTSTAMP_FILTER_PTP_V2_SYNC:
	case HWTSTAMP_FILTER_PTP_V2_DELAY_REQ:
		cfg->rx_filter = HWTSTAMP_FILTER_PTP_V2_EVENT;
		break;
	case HWTSTAMP_FILTER_PTP_V2_L2_EVENT:
	case HWTSTAMP_FILTER_PTP_V2_L4_EVENT:
		break;
	default:
		if (only_event)
			return -ERANGE;
		cfg->rx_filter = HWTSTAMP_FILTER_ALL;
	}
	p->cfg = *cfg;
	return 0;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define TSINFO struct kernel_ethtool_ts_info
#else
#define TSINFO struct ethtool_ts_info
#endif
static int h_tsinfo(struct net_device *dev, TSINFO *i)
{
	struct hport *p = netdev_priv(dev);

	i->so_timestamping = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RX_HARDWARE |
		SOF_TIMESTAMPING_RAW_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE |
		SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	i->phc_index = p->c->ptp ? ptp_clock_index(p->c->ptp) : -1;
	i->tx_types = BIT(HWTSTAMP_TX_OFF) | BIT(HWTSTAMP_TX_ON);
	if (!no_onestep)
		i->tx_types |= BIT(HWTSTAMP_TX_ONESTEP_SYNC) | BIT(HWTSTAMP_TX_ONESTEP_P2P);
	i->rx_filters = BIT(HWTSTAMP_FILTER_NONE) | BIT(HWTSTAMP_FILTER_PTP_V2_EVENT) |
		BIT(HWTSTAMP_FILTER_PTP_V2_L2_EVENT) | BIT(HWTSTAMP_FILTER_PTP_V2_L4_EVENT);
	if (!only_event)
		i->rx_filters |= BIT(HWTSTAMP_FILTER_ALL);
	return 0;
}

static int h_link(struct net_device *dev, struct ethtool_link_ksettings *k)
{
	k->base.speed = speed;
	k->base.duplex = DUPLEX_FULL;
	k->base.autoneg = AUTONEG_DISABLE;
	return 0;
}

static const struct ethtool_ops h_eth = {
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = h_link,
	.get_ts_info = h_tsinfo,
};

static void h_rxmode(struct net_device *dev) { }

static const struct net_device_ops h_ops = {
	.ndo_open = h_open,
	.ndo_stop = h_stop,
	.ndo_start_xmit = h_xmit,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_set_rx_mode = h_rxmode,
	.ndo_hwtstamp_get = h_hwts_get,
	.ndo_hwtstamp_set = h_hwts_set,
};

/* ---- debugfs ------------------------------------------------------------ */

static int s64_get(void *d, u64 *v) { *v = *(s64 *)d; return 0; }
static int s64_set(void *d, u64 v) { *(s64 *)d = v; return 0; }
DEFINE_DEBUGFS_ATTRIBUTE_SIGNED(s64_fops, s64_get, s64_set, "%lld\n");

static int osc_set(void *d, u64 v)
{
	struct hphc *c = d;

	spin_lock_irq(&c->lock);
	fold(c, ktime_get_raw_ns());
	c->osc_ppt = v;
	c->osc = ppt44(v);
	spin_unlock_irq(&c->lock);
	return 0;
}
static int osc_get(void *d, u64 *v) { *v = ((struct hphc *)d)->osc_ppt; return 0; }
DEFINE_DEBUGFS_ATTRIBUTE_SIGNED(osc_fops, osc_get, osc_set, "%lld\n");

static int inject_set(void *d, u64 v)	/* an EXTTS 0 event with this very time stamp */
{
	struct hphc *c = d;
	struct ptp_clock_event ev = { .type = PTP_CLOCK_EXTTS, .index = 0, .timestamp = v };

	mutex_lock(&presence);
	if (c->ptp)
		ptp_clock_event(c->ptp, &ev);
	mutex_unlock(&presence);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(inject_fops, NULL, inject_set, "%llu\n");

static void quiet(struct hphc *c)		/* no edge comes from it or goes to it */
{
	int k;

	for (k = 0; k <= N_PER; k++) {
		c->ch[k].on = false;
		hrtimer_cancel(&c->ch[k].t);
	}
	hrtimer_cancel(&c->ext_t);
	memset(c->ext_on, 0, sizeof(c->ext_on));
}

static int present_set(void *d, u64 v)	/* 0: pull the card out; 1: plug it in again, as after power-on */
{
	struct hphc *c = d;
	struct ptp_clock *ptp;
	int k, r = 0;

	mutex_lock(&presence);
	if (!v && c->ptp) {
		quiet(c);
		ptp = c->ptp;
		c->ptp = NULL;
		ptp_clock_unregister(ptp);
	} else if (v && !c->ptp) {
		for (k = 0; k < N_PIN; k++) {
			c->pins[k].func = PTP_PF_NONE;
			c->pins[k].chan = 0;
		}
		spin_lock_irq(&c->lock);
		fold(c, ktime_get_raw_ns());
		c->ns0 = ktime_get_real_ns();
		c->fr0 = 0;
		c->adj = 0;
		spin_unlock_irq(&c->lock);
		ptp = ptp_clock_register(&c->info, NULL);
		if (IS_ERR_OR_NULL(ptp))
			r = -ENODEV;
		else
			c->ptp = ptp;
	}
	mutex_unlock(&presence);
	return r;
}
static int present_get(void *d, u64 *v) { *v = !!((struct hphc *)d)->ptp; return 0; }
DEFINE_DEBUGFS_ATTRIBUTE(present_fops, present_get, present_set, "%llu\n");

static int edges_show(struct seq_file *s, void *v)	/* n phc_ns ref_ns error */
{
	struct chan *h = s->private;
	u32 k, n = h->n;

	for (k = n > EDGES ? n - EDGES : 0; k < n; k++)
		seq_printf(s, "%u %lld %lld %lld\n", k, h->e_phc[k % EDGES], h->e_ref[k % EDGES],
			   h->e_phc[k % EDGES] - h->e_ref[k % EDGES]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(edges);

static int snapshot_show(struct seq_file *s, void *v)
{
	struct system_time_snapshot t;
	s64 raw;
	int k;

	ktime_get_snapshot(&t);
	raw = ktime_to_ns(t.raw);
	seq_printf(s, "raw %lld\nreal %lld\nref %lld\n", raw, ktime_to_ns(t.real), raw + ref_off);
	for (k = 0; k < n_phc; k++) {
		s64 r = reading(phcs[k], raw);

		seq_printf(s, "phc%d /dev/ptp%d reading %lld minus_ref %lld rate_2e44 %lld\n", k,
			   phcs[k]->ptp ? ptp_clock_index(phcs[k]->ptp) : -1, r, r - raw - ref_off,
			   phcs[k]->osc + phcs[k]->adj);
	}
	for (k = 0; k < ports; k++)
		seq_printf(s, "port%d %s phc%d txts %llu rxts %llu tx_type %d rx_filter %d\n", k,
			   hports[k]->dev->name, hports[k]->c->i, hports[k]->n_txts,
			   hports[k]->n_rxts, hports[k]->cfg.tx_type, hports[k]->cfg.rx_filter);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(snapshot);

/* ---- making and unmaking ------------------------------------------------ */

static struct hphc *phc_make(int i)
{
	struct hphc *c = kzalloc(sizeof(*c), GFP_KERNEL);
	struct dentry *d;
	char nm[16];
	int k;

	if (!c)
		return ERR_PTR(-ENOMEM);
	c->i = i;
	spin_lock_init(&c->lock);
	c->raw0 = ktime_get_raw_ns();
	c->ns0 = ktime_get_real_ns();
	c->pps_mask = 1;
	c->ts_res = 1;
	for (k = 0; k <= N_PER; k++) {
		c->ch[k].c = c;
		c->ch[k].i = k;
		hrtimer_init(&c->ch[k].t, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
		c->ch[k].t.function = chan_fire;
	}
	hrtimer_init(&c->ext_t, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	c->ext_t.function = ext_fire;
	INIT_DELAYED_WORK(&c->work, wander);
	c->info.owner = THIS_MODULE;
	snprintf(c->info.name, sizeof(c->info.name), "hilptp%d", i);
	c->info.max_adj = max_adj;
	c->info.adjfine = h_adjfine;
	c->info.adjtime = h_adjtime;
	c->info.gettimex64 = h_gettimex;
	c->info.settime64 = h_settime;
	c->info.enable = h_enable;
	c->info.n_ext_ts = N_EXT;
	c->info.n_per_out = N_PER;
	c->info.pps = 1;
	if (!no_extended) {
		c->info.getcrosststamp = h_cross;
		c->info.adjphase = h_adjphase;
		c->info.getmaxphase = h_maxphase;
		c->info.verify = h_verify;
		c->info.n_pins = N_PIN;
		c->info.pin_config = c->pins;
		for (k = 0; k < N_PIN; k++) {
			snprintf(c->pins[k].name, sizeof(c->pins[k].name), "SDP%d", k);
			c->pins[k].index = k;
		}
	}
	c->ptp = ptp_clock_register(&c->info, NULL);
	if (IS_ERR_OR_NULL(c->ptp)) {
		kfree(c);
		return ERR_PTR(-ENODEV);
	}
	snprintf(nm, sizeof(nm), "phc%d", i);
	d = debugfs_create_dir(nm, dir);
	debugfs_create_file("osc_ppt", 0600, d, c, &osc_fops);
	debugfs_create_file("inject_extts0", 0200, d, c, &inject_fops);
	debugfs_create_file("pps_offset_ns", 0600, d, &c->pps_offset, &s64_fops);
	debugfs_create_u64("wander_ppt", 0600, d, &c->wander_ppt);
	debugfs_create_u64("ts_res_ns", 0600, d, &c->ts_res);
	debugfs_create_u64("ts_noise_ns", 0600, d, &c->ts_noise);
	debugfs_create_u64("pps_noise_ns", 0600, d, &c->pps_noise);
	debugfs_create_u32("pps_mask", 0600, d, &c->pps_mask);
	debugfs_create_u32("fail", 0600, d, &c->fail);
	debugfs_create_file("present", 0600, d, c, &present_fops);
	debugfs_create_u32("read_delay_ns", 0600, d, &c->read_delay);
	debugfs_create_u32("read_jitter_ns", 0600, d, &c->read_jitter);
	debugfs_create_u64("read_noise_ns", 0600, d, &c->read_noise);
	debugfs_create_u32("loose_edges", 0600, d, &c->loose_edges);
	debugfs_create_u64("n_adjfine", 0400, d, &c->n_adjfine);
	debugfs_create_u64("n_adjtime", 0400, d, &c->n_adjtime);
	debugfs_create_u64("n_adjphase", 0400, d, &c->n_adjphase);
	debugfs_create_u64("n_settime", 0400, d, &c->n_settime);
	debugfs_create_u64("n_gettime", 0400, d, &c->n_gettime);
	for (k = 0; k <= N_PER; k++) {
		snprintf(nm, sizeof(nm), k < N_PER ? "perout%d" : "pps", k);
		debugfs_create_file(nm, 0400, d, &c->ch[k], &edges_fops);
	}
	schedule_delayed_work(&c->work, HZ);
	return c;
}

static void phc_free(struct hphc *c)
{
	cancel_delayed_work_sync(&c->work);
	quiet(c);
	if (c->ptp)
		ptp_clock_unregister(c->ptp);
	kfree(c);
}

static void setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &h_ops;
	dev->ethtool_ops = &h_eth;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->max_mtu = 9000;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
}

static int port_make(int i)
{
	struct net_device *dev = alloc_netdev(sizeof(struct hport), "hil%d", NET_NAME_ENUM, setup);
	u8 mac[ETH_ALEN] = { 0x02, 0x48, 0x49, 0x4c, 0x00, i };
	struct hport *p;
	struct dentry *d;
	char nm[16];
	int r;

	if (!dev)
		return -ENOMEM;
	eth_hw_addr_set(dev, mac);
	p = netdev_priv(dev);
	p->i = i;
	p->dev = dev;
	p->c = phcs[phc_of[i]];
	skb_queue_head_init(&p->late);
	INIT_DELAYED_WORK(&p->late_work, late_txts);
	p->delay = 1000;
	snprintf(nm, sizeof(nm), "port%d", i);
	d = debugfs_create_dir(nm, dir);
	debugfs_create_u64("delay_ns", 0600, d, &p->delay);
	debugfs_create_u64("jitter_ns", 0600, d, &p->jitter);
	debugfs_create_file("tx_latency_ns", 0600, d, &p->tx_lat, &s64_fops);
	debugfs_create_file("rx_latency_ns", 0600, d, &p->rx_lat, &s64_fops);
	debugfs_create_u32("drop_txts", 0600, d, &p->drop_txts);
	debugfs_create_u32("drop_rxts", 0600, d, &p->drop_rxts);
	debugfs_create_u32("txts_delay_us", 0600, d, &p->txts_delay_us);
	debugfs_create_u32("swap_txts", 0600, d, &p->swap_txts);
	debugfs_create_u32("loss_permille", 0600, d, &p->loss_pm);
	hports[i] = p;
	if (i & 1) {
		p->peer = hports[i - 1]->dev;
		hports[i - 1]->peer = dev;
	}
	netif_carrier_off(dev);
	r = 0;
	return r;
}

static void undo(void)
{
	int k;

	for (k = 0; k < MAXN; k++)
		if (hports[k] && hports[k]->dev->reg_state == NETREG_REGISTERED)
			unregister_netdev(hports[k]->dev);
	for (k = 0; k < MAXN; k++)
		if (hports[k]) {
			cancel_delayed_work_sync(&hports[k]->late_work);
			skb_queue_purge(&hports[k]->late);
			kfree_skb(hports[k]->held);
			free_netdev(hports[k]->dev);
		}
	debugfs_remove_recursive(dir);
	for (k = 0; k < MAXN; k++)
		if (!IS_ERR_OR_NULL(phcs[k]))
			phc_free(phcs[k]);
}

static int __init hil_init(void)
{
	int i, r = 0;

	if (ports < 2 || ports > MAXN || ports & 1)
		return -EINVAL;
	for (i = 0; i < ports; i++) {
		if (i >= n_phc_of)
			phc_of[i] = i;
		if (phc_of[i] < 0 || phc_of[i] >= MAXN)
			return -EINVAL;
		n_phc = max(n_phc, phc_of[i] + 1);
	}
	ref_off = ktime_to_ns(ktime_get_clocktai()) - (s64)ktime_get_raw_ns();
	dir = debugfs_create_dir("hilptp", NULL);
	debugfs_create_file("ref_minus_raw_ns", 0600, dir, &ref_off, &s64_fops);
	for (i = 0; i < n_phc; i++) {
		phcs[i] = phc_make(i);
		if (IS_ERR(phcs[i])) {
			r = PTR_ERR(phcs[i]);
			goto out;
		}
	}
	for (i = 0; i < ports; i++) {
		r = port_make(i);
		if (r)
			goto out;
	}
	debugfs_create_file("snapshot", 0400, dir, NULL, &snapshot_fops);
	for (i = 0; i < ports; i++) {
		r = register_netdev(hports[i]->dev);
		if (r)
			goto out;
	}
	return 0;
out:
	undo();
	return r;
}

static void __exit hil_exit(void) { undo(); }

module_init(hil_init);
module_exit(hil_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Ethernet port pairs with modelled PTP hardware clocks");
