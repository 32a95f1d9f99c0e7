# Conversations of two: send, /im/from/to, /im/conv/{conv_id}.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $t = Test::IM->new(
    conf_server => 'location = /id { set_im_conv_id $i $arg_a $arg_b;'
                   . ' return 200 $i; }',
)->start;

my $vars = {
    ab => $t->get('/id?a=ann&b=bob')->body,
    cd => $t->get('/id?a=cid&b=dan')->body,
    gh => $t->get('/id?a=gil&b=hal')->body,
    group => $t->group(ann => [qw(bob cid)]),
};
$t->profile('CKD_P_1', name => 'P one', img => 'http://p.png');

run_blocks($t, undef, $vars);


# --- what a send tells

my $now = $t->redis('TIME')->[0] * 1000;
my (%seen, @times);
for my $n (1 .. 20) {
    my $r = $t->say($n % 2 ? ('x1', 'x2') : ('x2', 'x1'), "m$n");
    is($r->body, '{}', 'answer is {}');
    like($r->conv_id, qr/^[0-9a-f]{24}$/, 'X-IM-Conv-Id');
    ok(length $r->msg_id && !$seen{$r->msg_id}++, 'X-IM-Msg-Id is new');
    like($r->msg_time, qr/^\d{13}$/, 'X-IM-Msg-Time is in ms');
    push @times, $r->msg_time;
}
ok($times[0] >= $now && $times[-1] < $now + 60_000, "the store's clock");
is_deeply(\@times, [ sort { $a <=> $b } @times ], 'never backwards');

my $page = $t->pair('x2', 'x1', page_size => 50);
is_deeply($t->texts($page), [ map { "m$_" } reverse 1 .. 20 ], 'newest first');
is_deeply([ map { $_->{from_time} } @$page ], [ reverse @times ],
          'from_time is what the send told');
is_deeply([ sort map { $_->{msg_id} } @$page ], [ sort keys %seen ],
          'msg_id as well');
is_deeply($t->pair('x1', 'x2', page_size => 50), $page, 'either way round');


$t->done;


# --- from_time never runs backwards, whatever the clock of the store does: it
# --- is put back by an hour, then by a day, and forward again

{
    my $t = Test::IM->new(redis => 0);
    my $lib = $t->dir . '/clock.so';
    my $clock = $t->dir . '/clock';
    my $moved = sub { open my $fh, '+<:raw', $clock or die "$clock: $!";
                      print $fh pack 'q', $_[0] * 1_000_000; close $fh };
    my $now = sub { my ($s, $us) = @{ $t->redis('TIME') };
                    return int($s * 1000 + $us / 1000) };

    is(system(qw(cc -O1 -shared -fPIC -o), $lib,
              "$FindBin::Bin/fault/clock.c", '-ldl'), 0, 'a clock is built')
        or BAIL_OUT('cc');
    $t->write_file('clock', pack 'q', 0);

    {
        local @ENV{qw(LD_PRELOAD IM_CLOCK)} = ($lib, $clock);
        $t->start_redis;
    }
    $t->start;

    my $group = $t->group(ann => ['tim']);
    my $id = $t->say(ann => 'tim', 'now')->conv_id;
    $t->say_in(ann => $group, 'now');
    my %last = map { $_ => $t->page($_)->[0]{from_time} } $id, $group;
    my $start = $last{$group};

    for my $by (-3600, -86400, -1) {
        $moved->($by);
        cmp_ok($now->(), '<', $start, "the clock is put back by ${\ -$by } s");

        for my $conv ($id, $group) {
            my $kind = $conv eq $group ? 'a group' : 'a 1:1';
            my @told = map { $t->say_in($_ % 2 ? 'ann' : 'tim', $conv, "m$_")
                             ->msg_time } 1 .. 10;
            is_deeply([ grep { $_ < $last{$conv} } @told ], [],
                      "$kind: no message is older than the one before");
            cmp_ok($told[-1], '<', $start + 60_000, "$kind: and none ahead");
            my @page = map { $_->{from_time} }
                       @{ $t->page($conv, page_size => 100) };
            is_deeply(\@page, [ sort { $b <=> $a } @page ],
                      "$kind: a page neither");
            is($page[0], $told[-1], "$kind: the page has what the send told");
            $last{$conv} = $told[-1];
        }
    }

    $moved->(3600);
    cmp_ok($t->say(ann => 'tim', 'later')->msg_time, '>=', $start + 3_600_000,
           'put forward, it goes on with the clock');
    $t->done;
}

done_testing;

__DATA__
=== none yet
--- call
/im/from/to
--- json
{"from_id":"ann","to_id":"bob","page_no":1,"page_size":10}
--- answer
[]
--- unchanged

=== the first message makes the conversation
--- call
/im/send/msg
--- json
{"from_id":"ann","to_id":"bob","msg":"one","msg_type":0}
--- answer
{}
--- header
X-IM-Conv-Id: {{ab}}
X-IM-Msg-Id: /./
X-IM-Msg-Time: /^\d{13}$/

=== the other way round it is the same one
--- call
/im/send/msg
--- json
{"from_id":"bob","to_id":"ann","msg":"two","msg_type":1}
--- answer
{}
--- header
X-IM-Conv-Id: {{ab}}

=== by conv_id alone
--- call
/im/send/msg
--- json
{"from_id":"bob","conv_id":"{{ab}}","msg":"three","msg_type":2}
--- header
X-IM-Conv-Id: {{ab}}

=== by both
--- call
/im/send/msg
--- json
{"from_id":"ann","to_id":"bob","conv_id":"{{ab}}","msg":"four","msg_type":3}
--- header
X-IM-Conv-Id: {{ab}}

=== an empty conv_id counts as absent
--- call
/im/send/msg
--- json
{"from_id":"ann","to_id":"bob","conv_id":"","msg":"five","msg_type":4}
--- header
X-IM-Conv-Id: {{ab}}

=== an empty to_id counts as absent
--- call
/im/send/msg
--- json
{"from_id":"ann","to_id":"","conv_id":"{{ab}}","msg":"six","msg_type":0}
--- header
X-IM-Conv-Id: {{ab}}

=== all six, by conversation
--- call
/im/conv/{{ab}}
--- json
{}
--- like
^\[\{"msg_id":"[^"]+","msg_type":0,"msg":"six","conv_id":"{{ab}}","from_id":"ann","from_time":\d{13},"user":\{"id":"ann","type":"","img":"","name":""\}\},
"msg_type":4,"msg":"five".*"msg_type":3,"msg":"four".*"msg_type":2,"msg":"three".*"msg_type":1,"msg":"two".*"msg_type":0,"msg":"one"
--- unchanged

=== by pair
--- call
/im/from/to
--- json
{"from_id":"bob","to_id":"ann","page_no":1,"page_size":2}
--- like
^\[\{"msg_id":"[^"]+","msg_type":0,"msg":"six",.*,\{"msg_id":"[^"]+","msg_type":4,"msg":"five",[^{]*\{[^{]*\}\}\]$

=== both, naming a conversation that is not there yet, make it
--- call
/im/send/msg
--- json
{"from_id":"cid","to_id":"dan","conv_id":"{{cd}}","msg":"x","msg_type":0}
--- answer
{}
--- header
X-IM-Conv-Id: {{cd}}

=== it was made
--- call
/im/conv/{{cd}}
--- json
{}
--- like
"msg":"x"

=== conv_id alone, of a conversation that is not there yet
--- call
/im/send/msg
--- json
{"from_id":"gil","conv_id":"{{gh}}","msg":"x","msg_type":0}
--- code
conv_not_found
--- error_like
conv_id

=== both, naming different conversations of two
--- call
/im/send/msg
--- json
{"from_id":"ann","to_id":"bob","conv_id":"{{cd}}","msg":"x","msg_type":0}
--- code
conv_mismatch
--- error_like
conv_id|to_id

=== both, naming different ones, neither there
--- call
/im/send/msg
--- json
{"from_id":"eve","to_id":"fay","conv_id":"{{gh}}","msg":"x","msg_type":0}
--- code
conv_mismatch

=== neither
--- call
/im/send/msg
--- json
{"from_id":"ann","msg":"x","msg_type":0}
--- code
bad_request
--- error_like
to_id|conv_id

=== neither: both empty
--- call
/im/send/msg
--- json
{"from_id":"ann","to_id":"","conv_id":"","msg":"x","msg_type":0}
--- code
bad_request
--- error_like
to_id|conv_id

=== to oneself
--- call
/im/send/msg
--- json
{"from_id":"ann","to_id":"ann","msg":"x","msg_type":0}
--- code
bad_request
--- error_like
to_id

=== not a member
--- call
/im/send/msg
--- json
{"from_id":"eve","conv_id":"{{ab}}","msg":"x","msg_type":0}
--- code
not_member
--- error_like
from_id|conv_id

=== unknown conversation: send
--- call
/im/send/msg
--- json
{"from_id":"ann","conv_id":"nosuch","msg":"x","msg_type":0}
--- code
conv_not_found

=== unknown conversation: page
--- call
/im/conv/nosuch
--- json
{}
--- code
conv_not_found
--- error_like
conv_id

=== unknown conversation of two: page
--- call
/im/conv/{{gh}}
--- json
{"page_no":1,"page_size":10}
--- code
conv_not_found

=== a to_id beside a group's conv_id is ignored
--- call
/im/send/msg
--- json
{"from_id":"bob","to_id":"ann","conv_id":"{{group}}","msg":"to all","msg_type":0}
--- answer
{}
--- header
X-IM-Conv-Id: {{group}}

=== it went to the group
--- call
/im/conv/{{group}}
--- json
{}
--- like
"msg":"to all"

=== and not to the two
--- call
/im/from/to
--- json
{"from_id":"ann","to_id":"bob","page_size":1}
--- like
"msg":"six"

=== ids of the PREFIX_T_N form are taken apart
--- before
/im/send/msg {"from_id":"CKD_P_1","to_id":"CKD_D_2","msg":"x","msg_type":0}
--- call
/im/from/to
--- json
{"from_id":"CKD_D_2","to_id":"CKD_P_1"}
--- like
"from_id":"CKD_P_1","from_time":\d+,"user":\{"id":"1","type":"P","img":"http://p.png","name":"P one"\}\}\]$

=== other ids are not: two letters
--- before
/im/send/msg {"from_id":"CKD_PD_1","to_id":"bob","msg":"x","msg_type":0}
--- call
/im/from/to
--- json
{"from_id":"bob","to_id":"CKD_PD_1"}
--- like
"user":\{"id":"CKD_PD_1","type":"","img":"","name":""\}

=== other ids are not: a small letter
--- before
/im/send/msg {"from_id":"CKD_p_1","to_id":"bob","msg":"x","msg_type":0}
--- call
/im/from/to
--- json
{"from_id":"bob","to_id":"CKD_p_1"}
--- like
"user":\{"id":"CKD_p_1","type":"","img":"","name":""\}

=== other ids are not: no prefix
--- before
/im/send/msg {"from_id":"P_1","to_id":"bob","msg":"x","msg_type":0}
--- call
/im/from/to
--- json
{"from_id":"bob","to_id":"P_1"}
--- like
"user":\{"id":"P_1","type":"","img":"","name":""\}

=== paging by pair has the same limits
--- call
/im/from/to
--- json
{"from_id":"ann","to_id":"bob","page_size":201}
--- code
bad_request
--- error_like
page_size

=== to_id is asked
--- call
/im/from/to
--- json
{"from_id":"ann"}
--- code
bad_request
--- error_like
to_id

=== from_id is asked
--- call
/im/from/to
--- json
{"to_id":"ann"}
--- code
bad_request
--- error_like
from_id
